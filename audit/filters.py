"""What entries are looked for by, and who is shown what of it: conditions on the search index."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, true
from sqlmodel import col

from audit.leaf import WITHHOLD_PROVIDER
from audit.records import AuditIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is looked for; what is empty is not asked. Blinds stand for people and consents.

    `own` limits to what one organisation gave or got, and everything else that is asked to what
    it is shown of these; `party` is either side. Times are in µs since 1970, half open.
    `whose` is the person who gave the consent: by them its entries are found, and those about
    nobody by the consent, which has no index that every entry would pay for. An agreement stands
    in no index at all: its entries are looked for among those that `providers` gave for
    `purposes`, and known by their detail.
    """

    subject: bytes | None = None
    actor: bytes | None = None
    consent: bytes | None = None
    whose: bytes | None = None
    agreement: str | None = None
    providers: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    outcome: str | None = None
    own: str | None = None
    party: str | None = None
    purpose: str | None = None
    application: str | None = None
    request: bytes | None = None
    start: int | None = None
    stop: int | None = None


def ways(wanted: Filter) -> list[list[Any]]:
    """What to walk the index by: the first of these that is asked has an index of its own.

    By a person, an actor or an agreement an organisation walks only what it is shown: where a
    page ends would else tell where entries of others lie.
    """
    shown = [] if wanted.own is None else _shown(wanted)
    if wanted.subject is None and wanted.whose is not None:
        whose, consent = col(AuditIndex.subject_blind), col(AuditIndex.consent_blind)
        about_nobody = [whose.is_(None), consent == wanted.consent]
        return [[whose == wanted.whose, *shown], [*about_nobody, *shown]]
    column: Any
    for column, value in (
        (AuditIndex.subject_blind, wanted.subject),
        (AuditIndex.actor_blind, wanted.actor),
    ):
        if value is not None:
            return [[col(column) == value, *shown]]
    if wanted.agreement is not None:
        return [[col(AuditIndex.provider) == each, *shown] for each in wanted.providers]
    party = wanted.own or wanted.party
    if party is not None:
        return [[col(AuditIndex.provider) == party], [col(AuditIndex.consumer) == party]]
    return [[col(AuditIndex.kind) == kind] for kind in wanted.kinds] or [[]]


def conditions(wanted: Filter) -> list[Any]:
    """All that a row of the index must meet."""
    equal = {
        AuditIndex.purpose: wanted.purpose,
        AuditIndex.application: wanted.application,
        AuditIndex.request: wanted.request,
    }
    found = [col(column) == value for column, value in equal.items() if value is not None]
    if wanted.kinds:
        found.append(col(AuditIndex.kind).in_(wanted.kinds))
    if wanted.agreement is not None:
        found.append(col(AuditIndex.provider).in_(wanted.providers))
        found.append(col(AuditIndex.purpose).in_(wanted.purposes))
    if wanted.outcome is not None:
        found.append(_outcome(wanted.outcome))
    found += _shown(wanted)
    if wanted.start is not None:
        found.append(col(AuditIndex.t) >= wanted.start)
    if wanted.stop is not None:
        found.append(col(AuditIndex.t) < wanted.stop)
    return found


def _shown(wanted: Filter) -> list[Any]:
    """The conditions on what an organisation may not be shown of its own entries.

    Whoever finds an entry by a value learns the value: so `own` finds none by a staff member of
    somebody else, nor by what stands in the detail, nor a refusal by who holds the person.
    """
    given, got = col(AuditIndex.provider), col(AuditIndex.consumer)
    every = wanted.own is None
    gave, asked = (true(), true()) if every else (given == wanted.own, got == wanted.own)
    told = or_(gave, col(AuditIndex.kind).not_in(sorted(WITHHOLD_PROVIDER)))
    conditions = [] if every else [or_(gave, asked)]
    if wanted.party is not None:
        conditions.append(or_(got == wanted.party, and_(given == wanted.party, told)))
    if wanted.subject is not None:
        conditions.append(and_(col(AuditIndex.subject_blind) == wanted.subject, told))
    if wanted.actor is not None:
        conditions.append(and_(col(AuditIndex.actor_blind) == wanted.actor, asked))
    if wanted.consent is not None:
        conditions.append(and_(col(AuditIndex.consent_blind) == wanted.consent, gave))
    if wanted.agreement is not None:
        conditions.append(gave)
    return conditions


def _outcome(asked: str) -> Any:
    """An outcome; `error` stands for every code of it."""
    outcome = col(AuditIndex.outcome)
    return outcome.startswith("error:", autoescape=True) if asked == "error" else outcome == asked
