"""Administer: apply the directory, agreements, notices and members, and register applications.

Operators' actions are commands like all others: in the same order, in the same log.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.events import AdminChanged
from consent import register
from consent.notices import Notice
from consent.register import NoticeChanged
from exchange import agreement_keeping, directory, mergings
from exchange.agreement_keeping import TextChanged
from exchange.directory import Application, Member
from exchange.mergings import Merging
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import ApplicationId, OrganisationId, OrganisationType, Reason

_CARE = frozenset({"client", "summary", "consent", "handover", "query", "appointment", "audit"})
_SCOPES: Mapping[OrganisationType, frozenset[str]] = {
    OrganisationType.EXAM_BOARD: frozenset({"handover", "query", "audit"}),
    OrganisationType.EDUCATION_MINISTRY: frozenset({"query", "audit"}),
    OrganisationType.BACK_OFFICE: frozenset({"aggregate"}),
    OrganisationType.SUPERVISORY_AUTHORITY: frozenset({"audit-all"}),
    OrganisationType.FUNDER: frozenset({"query"}),
    OrganisationType.EMPLOYER: frozenset({"query"}),
    OrganisationType.VOLUNTEER_ORGANISATION: frozenset({"query"}),
    OrganisationType.TRADE_UNION: frozenset({"query"}),
    OrganisationType.FEDERAL_BENEFIT_AGENCY: frozenset({"query"}),
}
EVERY_SCOPE = _CARE.union(*_SCOPES.values())
"""All that a token can be asked for, whoever asks."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many entries were new or changed, and how many stood already as they are."""

    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class NewApplication:
    """An application to register. `key` is its public JWK; without `scopes`: all of its type.

    From `expires_at` on (µs) it is let in no more; without, it is for as long as it is wanted.
    """

    organisation: OrganisationId
    key: Mapping[str, Any]
    scopes: frozenset[str] | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class ApplicationRegistered:
    application: ApplicationId
    scopes: frozenset[str]


def scopes_of(type: OrganisationType) -> frozenset[str]:
    """What applications of an organisation of this type may ask for at most."""
    return _SCOPES.get(type, _CARE)


def apply_documents(
    tx: Transaction, documents: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> Outcome[Applied]:
    """Store documents by kind and id, checked before; the same again changes nothing.

    An agreement is kept with all that its document says was done: see `agreement_keeping`.
    """
    changed, events = 0, []
    total = sum(map(len, documents.values()))
    for kind, new in documents.items():
        if kind == "agreement":
            plans = agreement_keeping.planned(tx, new.values())
            if isinstance(plans, TextChanged):
                reason = Reason.CONTENT_REFUSED
                return Outcome(Refused(reason, told=reason, details=(plans.name, *plans.where)))
            agreement_keeping.keep(tx, plans)
            names = [each.name for each in plans if each.changes]
            events += [AdminChanged(what=kind, act="applied", id=name) for name in names]
            changed += len(names)
            continue
        old = directory.documents(tx.connection, shard=tx.shard, kind=kind)
        # Compared as they come back from the table: a date there is a text here.
        different = {
            id: body for id, body in new.items() if old.get(id) != json.loads(json.dumps(body))
        }
        directory.put_documents(tx.connection, shard=tx.shard, kind=kind, new=different)
        if kind == "organisation":
            _note_mergers(tx, different, old)
        events += [AdminChanged(what=kind, act="applied", id=id) for id in different]
        changed += len(different)
    if changed:
        directory.moved(tx.connection, shard=tx.shard)
    return Outcome(Applied(changed, total - changed), tuple(events))


def _note_mergers(
    tx: Transaction,
    new: Mapping[str, Mapping[str, Any]],
    old: Mapping[str, Mapping[str, Any]],
) -> None:
    """Organisations that have a successor from now on: consents that speak of either wait."""
    for id, body in new.items():
        into = body.get("successor")
        if into and into != old.get(id, {}).get("successor"):
            merger = Merging(OrganisationId(id), OrganisationId(into), tx.now)
            mergings.keep(tx.connection, shard=tx.shard, merging=merger)


def apply_notices(tx: Transaction, notices: Sequence[Notice]) -> Outcome[Applied]:
    """Put notices into use. One that is in use never changes: a new text is a new version."""
    new = []
    for each in notices:
        try:
            if register.keep_notice(tx.connection, shard=tx.shard, notice=each):
                new.append(f"{each.id}/{each.version}/{each.lang}")
        except NoticeChanged:
            name = f"{each.id}/{each.version}/{each.lang}"
            reason = Reason.CONTENT_REFUSED
            return Outcome(Refused(reason, told=reason, details=(name,)))
    if new:
        directory.moved(tx.connection, shard=tx.shard)
    events = tuple(AdminChanged(what="notice", act="applied", id=name) for name in new)
    return Outcome(Applied(len(new), len(notices) - len(new)), events)


def apply_members(tx: Transaction, members: Sequence[Member]) -> Outcome[Applied]:
    """Store members of staff: numbers and roles, without names."""
    unknown = sorted({each.organisation for each in members} - tx.directory.organisations.keys())
    if unknown:
        reason = Reason.CONTENT_REFUSED
        return Outcome(Refused(reason, told=reason, details=tuple(unknown)))
    directory.put_members(
        tx.connection, shard=tx.shard, members=[_with_shard(each, tx.shard) for each in members]
    )
    events = tuple(
        AdminChanged(what="member", act="applied", id=f"{each.organisation}/{each.id}")
        for each in members
    )
    return Outcome(Applied(len(members), 0), events)


def register_application(tx: Transaction, order: NewApplication) -> Outcome[ApplicationRegistered]:
    """Register a machine of an organisation; its scopes follow the organisation's type."""
    type = tx.directory.type_of(order.organisation)
    most = frozenset[str]() if type is None else scopes_of(type)
    scopes = most if order.scopes is None else order.scopes
    if type is None or not scopes or not scopes <= most:
        reason = Reason.CONTENT_REFUSED
        details = ("organisation",) if type is None else ("scope", *sorted(most))
        return Outcome(Refused(reason, told=reason, details=details))
    taken = [
        each
        for each in tx.directory.applications.values()
        if each.organisation == order.organisation
    ]
    application = ApplicationId(f"app:{order.organisation}-{len(taken) + 1}")
    row = Application(
        shard=tx.shard,
        id=application,
        organisation=order.organisation,
        scopes=" ".join(sorted(scopes)),
        key=_text(order.key),
        registered_at=tx.now,
        expires_at=order.expires_at,
    )
    directory.add_application(tx.connection, row)
    directory.moved(tx.connection, shard=tx.shard)
    event = AdminChanged(what="application", act="registered", id=application)
    return Outcome(ApplicationRegistered(application, scopes), (event,))


def revoke_application(tx: Transaction, application: ApplicationId) -> Outcome[ApplicationId]:
    """End an application now: its tokens, still valid by themselves, count no more."""
    return _changed(tx, application, "revoked", revoked_at=tx.now)


def suspend_application(tx: Transaction, application: ApplicationId) -> Outcome[ApplicationId]:
    """Let an application in no more, until an operator has looked into it."""
    return _changed(tx, application, "suspended", suspended_at=tx.now)


def suspend_for_burst(tx: Transaction, application: ApplicationId) -> Outcome[ApplicationId]:
    """As `suspend_application`, but that it may withdraw consents: no operator decided on it."""
    return _changed(tx, application, "suspended", burst_at=tx.now)


def resume_application(tx: Transaction, application: ApplicationId) -> Outcome[ApplicationId]:
    """Let an application that was suspended in again."""
    return _changed(tx, application, "resumed", suspended_at=None, burst_at=None)


def rotate_application(
    tx: Transaction, application: ApplicationId, key: Mapping[str, Any], overlap: int
) -> Outcome[ApplicationId]:
    """Give an application another key; the one before it counts for `overlap` µs more.

    A third key there never is: the one before the last ends now.
    """
    known = tx.directory.applications.get(application)
    if known is None or key["kid"] in {known.key["kid"], (known.former or {}).get("kid")}:
        what = "application" if known is None else "key"
        reason = Reason.CONTENT_REFUSED
        return Outcome(Refused(reason, told=reason, details=(what,)))
    former = {"former_key": _text(known.key), "former_until": tx.now + overlap}
    return _changed(tx, application, "rekeyed", key=_text(key), **former)


def _changed(
    tx: Transaction, application: ApplicationId, act: str, **values: Any
) -> Outcome[ApplicationId]:
    if not directory.change_application(
        tx.connection, shard=tx.shard, application=application, **values
    ):
        reason = Reason.CONTENT_REFUSED
        return Outcome(Refused(reason, told=reason, details=("application",)))
    directory.moved(tx.connection, shard=tx.shard)
    event = AdminChanged(what="application", act=act, id=application)
    return Outcome(application, (event,))


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _with_shard(member: Member, shard: int) -> Member:
    return Member(**(member.model_dump() | {"shard": shard}))
