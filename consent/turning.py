"""When the client's word changed that a decision turned on, and which text it was given on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from consent import records, sealed
from consent.recipients import Asking, reaches
from consent.sealed import Sealing
from consent.standing import Said
from policies.vocabulary import ClientId, ConsentId, ConsentState, Reason

_ENDED = frozenset({ConsentState.WITHDRAWN, ConsentState.REVOKED_BY_OTHER})


@dataclass(frozen=True, slots=True)
class Spoken:
    """One consent as it stands, and since when (µs)."""

    said: Said
    changed_at: int


def spoken(
    connection: Connection, *, shard: int, client: ClientId, sealing: Sealing
) -> list[Spoken]:
    """Every consent of the client, oldest first."""
    rows = records.consents_to_show(connection, shard=shard, client=client)
    return [Spoken(sealed.opened(shard, row, sealing), row.changed_at) for row in rows]


def turned_at(
    words: Iterable[Spoken], asking: Asking, reason: str | None, *, before: int, today: date
) -> int | None:
    """The instant of the client's last no, or of the hold, behind a reason for refusing.

    Nothing where the reason is another, or where what stands now is younger than `before`.
    """
    instants = [_turned(each, asking, reason, today) for each in words]
    return max((at for at in instants if at is not None and at <= before), default=None)


def notices_of(words: Sequence[Spoken], consents: Collection[ConsentId]) -> tuple[str, ...]:
    """The texts that these consents were given on, as `id/version/language`."""
    texts = [each.said.terms.notice for each in words if each.said.consent in consents]
    return tuple(dict.fromkeys(f"{each.id}/{each.version}/{each.lang}" for each in texts))


def _turned(word: Spoken, asking: Asking, reason: str | None, today: date) -> int | None:
    said = word.said
    if said.controller != asking.holder:
        return None
    if reason == Reason.CONSENT_REFUSED and any(
        no.purpose == asking.purpose and reaches(no.recipient, asking, today)
        for no in said.terms.refused
    ):
        return said.given_at
    ended = (
        (reason == Reason.CONSENT_REFUSED and said.state is ConsentState.REFUSED)
        or (reason == Reason.CONSENT_WITHDRAWN and said.state in _ENDED)
        or (reason == Reason.CONSENT_SUSPENDED and said.suspended)
    )
    meant = any(
        grant.purpose == asking.purpose and reaches(grant.recipient, asking, today)
        for grant in said.terms.grants
    )
    return word.changed_at if ended and meant else None
