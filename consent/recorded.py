"""One consent with all that became of it: what every form of others is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from consent import records
from consent.belgian_time import day_of, instant, time_of
from consent.content import Grant, Terms
from consent.ending import over
from consent.lifecycle import releases
from consent.sealed import Sealing, terms_of
from policies.decision import Refused
from policies.summary_model import summary_model
from policies.vocabulary import (
    ClientId,
    ConsentId,
    ConsentState,
    Handle,
    OrganisationId,
    Reason,
)


@dataclass(frozen=True, slots=True)
class Change:
    """How a consent stood from an instant on. `via`: by which way, where that is known."""

    state: ConsentState
    at: datetime
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A consent as it stands at `at`. `changes` are oldest first; the last is how it stands."""

    consent: ConsentId
    client: ClientId
    controller: OrganisationId
    suspended: bool
    changes: tuple[Change, ...]
    terms: Terms
    at: datetime

    @property
    def state(self) -> ConsentState:
        """How it stands."""
        return self.changes[-1].state

    @property
    def given_at(self) -> datetime:
        """When the client first spoke."""
        return self.changes[0].at


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the forms need beside the consent, none of it about a person but the handle.

    `names` are those of organisations and partnerships by id, `page` is the address of the page
    on which a client sees and stops everything. `handle` is the controller's own for the client.
    """

    issuer: str
    handle: Handle
    page: str
    names: Mapping[str, str]


def recorded(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    at: datetime,
    sealing: Sealing,
) -> Recorded | Refused:
    """The consent, for its controller; to anybody else it does not exist."""
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None or row.controller != controller:
        return Refused(Reason.CONSENT_NOT_FOUND)
    terms = terms_of(shard, row, sealing)
    changes = [
        Change(ConsentState(state), time_of(changed_at), via)
        for state, changed_at, via in records.states_of(connection, shard=shard, consent=consent)
    ]
    return Recorded(
        consent=row.id,
        client=row.client,
        controller=controller,
        suspended=row.suspended,
        changes=(*changes, *_over(changes[-1].state, terms, row.renewed_at, instant(at))),
        terms=terms,
        at=at,
    )


def _over(state: ConsentState, terms: Terms, renewed_at: int, now: int) -> list[Change]:
    """That it has expired: its time is over, or that to renew or to confirm it."""
    end = over(terms, renewed_at).at
    if terms.confirm_by is not None:
        end = min(end, terms.confirm_by)
    return [Change(ConsentState.EXPIRED, time_of(end))] if releases(state) and end <= now else []


def last_day(grant: Grant) -> str | None:
    """The last day on which it counts, as YYYY-MM-DD; nothing where only an event ends it."""
    return None if grant.end is None else day_of(grant.end - 1).isoformat()


def is_special(terms: Terms) -> bool:
    """Whether any section that is granted asks for explicit consent (gdpr-special)."""
    sections = summary_model().sections
    asking = {name.value for name, each in sections.items() if each.explicit_consent}
    return any(field.partition(".")[0] in asking for g in terms.grants for field in g.reads)
