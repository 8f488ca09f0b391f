"""What a document would change for the clients of an organisation, before it is applied.

Consents are opened page by page, as a decision opens them; no summary is. What holds for many
clients alike is decided once. Who is told of it, and what is logged, is for who asks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from audit.prepared import together
from consent import records as consents
from consent import sealed
from consent.belgian_time import day_of, instant
from consent.standing import ConsentFacts, GrantRef, Said
from exchange import handovers, records
from exchange.bases import Basis
from exchange.considering import opened_record
from exchange.database import Database
from exchange.handovers import OpenHandover
from exchange.key_store import KeyStore
from exchange.records import KnownClient
from exchange.security.keys import KeyDestroyed
from exchange.security.vault import Vault
from exchange.services import SHARD
from exchange.supposing import Lane, When, World, facts_in
from exchange.tenancy import EVERYBODY
from policies.decision import Facts
from policies.vocabulary import ClientId, ConsentId, Handle, HandoverId, OrganisationId
from policies.what_if import Change, compared

FIRST = Handle("")
PAGE = 250
"""Clients of one page: opened in one short transaction."""
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Affected:
    """One client's live consents and open handovers in one lane, and what becomes of them."""

    client: ClientId
    handle: Handle
    lane: Lane
    change: Change
    consents: tuple[ConsentId, ...]
    handovers: tuple[HandoverId, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some clients of an organisation; `last` is where the next page goes on, if there is one."""

    clients: int
    affected: tuple[Affected, ...]
    last: Handle | None


@dataclass(frozen=True, slots=True)
class _File:
    """What stands about one client that a release may rest on, opened."""

    handle: Handle
    client: KnownClient
    said: Sequence[Said]
    open: Sequence[OpenHandover]
    bases: Sequence[Basis]


class Simulation:
    """Compares two worlds at one moment. For one thread at a time, as the worlds are."""

    def __init__(
        self, database: Database, keys: KeyStore, *, today: World, then: World, at: datetime
    ) -> None:
        self._database, self._keys = database, keys
        self._vault = Vault(keys.key, shard=SHARD)
        self._today, self._then = today, then
        self._alike = then.says_as(today)
        self._moment = instant(at)
        self._day = day_of(self._moment)
        self._known: dict[tuple[Lane, Facts, Facts], Change] = {}
        self._reached: dict[tuple[str, str], frozenset[OrganisationId]] = {}

    def page(
        self, holder: OrganisationId, *, after: Handle, most: int = PAGE, tenant: str = EVERYBODY
    ) -> Page:
        """What becomes of the next clients of the holder, each lane of each of them."""
        with self._database.reading(tenant=tenant) as connection:
            found = records.clients_held_by(
                connection, shard=SHARD, organisation=holder, after=after, most=most
            )
            affected = tuple(
                one
                for file, uses in self._files(connection, found)
                for one in self._affected(file, uses)
            )
        return Page(len(found), affected, found[-1][0] if len(found) == most else None)

    def _files(
        self, connection: Connection, found: Sequence[tuple[Handle, KnownClient]]
    ) -> Iterator[tuple[_File, Mapping[GrantRef, int]]]:
        ids = [client.id for _, client in found]
        rows = consents.consents_of_all(connection, shard=SHARD, clients=ids)
        taken: dict[ClientId, list[OpenHandover]] = {}
        for each in handovers.open_of(connection, shard=SHARD, clients=ids, now=self._moment):
            taken.setdefault(each.client, []).append(each)
        concerned = [each for each in found if each[1].id in rows or each[1].id in taken]
        self._hear(connection, [client.id for _, client in concerned])
        for handle, client in concerned:
            try:
                said = [sealed.opened(SHARD, row, self._vault) for row in rows.get(client.id, ())]
                mine = taken.get(client.id, ())
                # Bases beside consent stand with who the client is: opened only where one could
                # be what a handover rests on.
                bases = opened_record(self._vault, client).bases if mine else ()
            except KeyDestroyed:
                continue  # erased since the page was read: nothing is left to change
            limited = {each.consent for each in said if any(g.max_uses for g in each.terms.grants)}
            uses = consents.uses_of(connection, shard=SHARD, consents=limited) if limited else {}
            yield _File(handle, client, said, mine, bases), uses

    def _hear(self, connection: Connection, clients: Sequence[ClientId]) -> None:
        """Where keys lie in the database, those of a whole page in one round trip."""
        asked = [(client, one) for client in clients for one in self._keys.asking(client)]
        if asked:
            answers = together(connection, *(one for _, one in asked))
            for (client, _), answer in zip(asked, answers, strict=True):
                self._keys.heard(client, [answer])

    def _affected(self, file: _File, uses: Mapping[GrantRef, int]) -> Iterator[Affected]:
        for lane in self._lanes(file):
            mine = [each for each in file.open if each[2:4] == (lane.recipient, lane.purpose)]
            met = [each.first_contact_at for each in mine if each.first_contact_at is not None]
            when = When(self._moment, self._day, {"first_contact": min(met)} if met else {}, uses)
            said = self._today.consented(file.said, lane, when)
            would_say = said if self._alike else self._then.consented(file.said, lane, when)
            before = self._facts(self._today, file, lane, said, when)
            after = self._facts(self._then, file, lane, would_say, when)
            live = _live(said, would_say)
            if not live and not (mine and (before.basis or after.basis)):
                continue
            change = self._change(lane, before, after)
            if not live:
                change = replace(change, asks=frozenset())  # no word of the client to renew
            held = tuple(each.id for each in mine)
            yield Affected(file.client.id, file.handle, lane, change, live, held)

    def _lanes(self, file: _File) -> Iterator[Lane]:
        found: dict[tuple[OrganisationId, str], None] = {
            (each.recipient, each.purpose): None for each in file.open
        }
        for said in file.said:
            for grant in said.terms.grants:
                key = (grant.recipient, grant.purpose)
                if key not in self._reached:
                    worlds = (self._today,) if self._alike else (self._today, self._then)
                    reached = (world.reached(grant, self._day) for world in worlds)
                    self._reached[key] = frozenset().union(*reached)
                found |= {(each, grant.purpose): None for each in self._reached[key]}
        for recipient, purpose in found:
            if recipient != file.client.holder:
                yield Lane(file.client.holder, recipient, purpose)

    def _facts(
        self, world: World, file: _File, lane: Lane, said: ConsentFacts, when: When
    ) -> Facts:
        """As for a fetch in the course of a handover, once what stops the client today is over."""
        return facts_in(
            world.directory,
            self._day,
            lane.request,
            lane.holder,
            said,
            known=True,
            blocked=False,
            care_relation=True,
            basis=world.basis(file.bases, lane, when) if file.bases else None,
        )

    def _change(self, lane: Lane, before: Facts, after: Facts) -> Change:
        key = (lane, before, after)
        known = self._known.get(key)
        if known is None:
            known = compared(
                self._today.release(lane, before, self._day),
                self._then.release(lane, after, self._day),
            )
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known


def _live(before: ConsentFacts, after: ConsentFacts) -> tuple[ConsentId, ...]:
    """The consents with a grant that gives something in the lane, in one world or the other."""
    found = {
        consent: None
        for facts in (before, after)
        for (consent, _), grant in zip(facts.refs, facts.grants, strict=True)
        if grant.ended is None
    }
    return tuple(found)
