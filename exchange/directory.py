"""Who takes part, under which agreements, with which machines: the directory and its tables.

It holds nothing personal, changes seldom and is read with every decision. So a batch reads its
version number under the lock, and the rest only when that has moved.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, bindparam, delete, insert, select, update
from sqlmodel import Field, SQLModel, col

from audit.prepared import Answer, Asked, Prepared, together
from consent.mergers import Merger, Mergers
from consent.notices import NoticeLibrary
from consent.register import notices_in
from exchange.ended import ended_tokens, retired_keys, token_name
from exchange.security.tokens import Caller
from exchange.volumes import persons_in
from policies.agreements import Agreement, any_in_force, flows_between, read_agreement
from policies.decision import FlowFacts, RecipientFacts
from policies.organisations import Organisation, Partnership, recipient_facts
from policies.organisations import read_directory as read_organisations
from policies.risk_analysis import RISK_ANALYSIS, Analysed, analysed_in
from policies.text_scan import Scanner, scanner
from policies.vocabulary import ApplicationId, OrganisationId, OrganisationType


class DirectoryState(SQLModel, table=True):
    """How often the directory has changed, and how often a token was ended before its time."""

    __tablename__ = "directory_state"

    shard: int = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class DirectoryEntry(SQLModel, table=True):
    """An organisation, partnership or agreement, as the document it was applied as."""

    __tablename__ = "directory_entry"

    shard: int = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    document: str


class Application(SQLModel, table=True):
    """A machine's credentials: its public key, the one before it, and what it may ask for."""

    __tablename__ = "application"

    shard: int = Field(primary_key=True)
    id: str = Field(primary_key=True)
    organisation: str
    scopes: str
    key: str
    registered_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    former_key: str | None = None
    former_until: int | None = Field(default=None, sa_type=BigInteger)
    suspended_at: int | None = Field(default=None, sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    burst_at: int | None = Field(default=None, sa_type=BigInteger)


class Member(SQLModel, table=True):
    """A member of an organisation's staff, by the organisation's own number, without a name."""

    __tablename__ = "member"

    shard: int = Field(primary_key=True)
    organisation: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    roles: str
    site: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredApplication:
    """An application as commands see it. `key` is its public JWK; times in µs.

    The `former` key goes on counting until `former_until`, so that a machine can change over.
    """

    id: ApplicationId
    organisation: OrganisationId
    scopes: frozenset[str]
    key: Mapping[str, Any]
    revoked: bool
    former: Mapping[str, Any] | None = None
    former_until: int | None = None
    suspended: bool = False
    expires_at: int | None = None
    burst: bool = False

    def live(self, now: int) -> bool:
        """Whether it may come in now."""
        return self.may_stop(now) and not self.burst

    def may_stop(self, now: int) -> bool:
        """Whether it may withdraw now: also when it asked too much, and nobody looked into it."""
        expired = self.expires_at is not None and self.expires_at <= now
        return not (self.revoked or self.suspended or expired)

    def key_named(self, kid: str, now: int) -> Mapping[str, Any] | None:
        """The public JWK of that name with which it may sign now."""
        if self.key.get("kid") == kid:
            return self.key
        if self.former is None or self.former.get("kid") != kid:
            return None
        return self.former if now < (self.former_until or 0) else None


@dataclass(frozen=True)
class Directory:
    """The directory at one version. What it works out is remembered as long as it lives."""

    version: int
    organisations: Mapping[OrganisationId, Organisation]
    partnerships: Mapping[str, Partnership]
    agreements: tuple[Agreement, ...]
    applications: Mapping[ApplicationId, RegisteredApplication]
    notices: NoticeLibrary
    tokens: int = 0
    ended: frozenset[bytes] = frozenset()
    token_keys: tuple[tuple[Mapping[str, Any], int], ...] = ()
    """Public keys of our own that sign no more, and until when (µs) their tokens count."""
    mergers: Mergers = field(default_factory=dict)
    persons: Mapping[str, int] = field(default_factory=dict)
    """By scope, as of when the version moved: it moves when a volume is full (see `counting`)."""
    analysed: Analysed = frozenset()
    _flows: dict[tuple[Any, ...], tuple[FlowFacts, ...]] = field(default_factory=dict, repr=False)
    _facts: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    @property
    def scanner(self) -> Scanner:
        """The text scanner; names of organisations and their sites are no names of persons."""
        if ("scanner",) not in self._facts:
            names = []
            for each in self.organisations.values():
                names += [each.name, each.short or each.name, *(site.name for site in each.sites)]
            self._facts["scanner",] = scanner(names)
        found: Scanner = self._facts["scanner",]
        return found

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What organisations and partnerships are called, by id."""
        names = {str(id): each.name for id, each in self.organisations.items()}
        return names | {id: each.name for id, each in self.partnerships.items()}

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The type of every organisation, by id."""
        return {id: each.type.value for id, each in self.organisations.items()}

    def admits(self, caller: Caller, now: int, *, withdrawing: bool = False) -> bool:
        """Whether the application may come in now (µs), and neither token nor key was ended.

        A token never reaches further than what is registered, whoever gave it. For withdrawing,
        it does not matter that the application asked too much.
        """
        known = self.applications.get(ApplicationId(caller.application))
        if known is None or not (known.may_stop(now) if withdrawing else known.live(now)):
            return False
        if caller.organisation != known.organisation or not caller.scopes <= known.scopes:
            return False
        if self.ended and token_name(caller.token_id) in self.ended:
            return False
        return not any(jwk["kid"] == caller.key and end <= now for jwk, end in self.token_keys)

    def recipient(self, organisation: OrganisationId, on: date) -> RecipientFacts | None:
        """What the gates must know of an organisation on a day; nothing for an unknown one."""
        key = ("recipient", organisation, on)
        if key not in self._facts:
            known = self.organisations.get(organisation)
            self._facts[key] = None if known is None else recipient_facts(known, on)
        found: RecipientFacts | None = self._facts[key]
        return found

    def flows(
        self, holder: OrganisationId, recipient: OrganisationId, purpose: str, on: date
    ) -> tuple[FlowFacts, ...]:
        """What agreements in force on the day let go from holder to recipient."""
        key = (holder, recipient, purpose, on)
        if key not in self._flows:
            self._flows[key] = flows_between(
                self.agreements, holder=holder, recipient=recipient, purpose=purpose, on=on
            )
        return self._flows[key]

    def any_agreement(self, recipient: OrganisationId, purpose: str, on: date) -> bool:
        """Whether the recipient has an agreement in force for the purpose with anybody."""
        key = ("any", recipient, purpose, on)
        if key not in self._facts:
            self._facts[key] = any_in_force(
                self.agreements, recipient=recipient, purpose=purpose, on=on
            )
        return bool(self._facts[key])

    def type_of(self, organisation: OrganisationId) -> OrganisationType | None:
        """What kind of organisation it is; nothing when there is no such one."""
        known = self.organisations.get(organisation)
        return None if known is None else known.type

    def has_site(self, organisation: OrganisationId, site: str) -> bool:
        known = self.organisations.get(organisation)
        return known is not None and any(each.id == site for each in known.sites)

    def members_at(self, partnership: str, day: date) -> frozenset[OrganisationId]:
        """Who belongs to a partnership on a day; nobody, when there is no such one."""
        known = self.partnerships.get(partnership)
        return frozenset() if known is None else known.members_at(day)


_VERSION = Prepared(
    select(col(DirectoryState.version), col(DirectoryState.tokens)).where(
        col(DirectoryState.shard) == bindparam("shard")
    )
)
_DOCUMENTS = (
    select(col(DirectoryEntry.id), col(DirectoryEntry.document))
    .where(
        col(DirectoryEntry.shard) == bindparam("shard"),
        col(DirectoryEntry.kind) == bindparam("kind"),
    )
    .order_by(col(DirectoryEntry.id))
)
_APPLICATIONS = select(
    col(Application.id),
    col(Application.organisation),
    col(Application.scopes),
    col(Application.key),
    col(Application.revoked_at),
    col(Application.former_key),
    col(Application.former_until),
    col(Application.suspended_at),
    col(Application.expires_at),
    col(Application.burst_at),
).where(col(Application.shard) == bindparam("shard"))


class DirectoryReader:
    """Gives the directory as it stands; keeps the last one read for as long as it is true."""

    def __init__(self, *, shard: int) -> None:
        self._shard = shard
        self._last: Directory | None = None

    @property
    def last(self) -> Directory | None:
        """The one read last, which may not be true any more."""
        return self._last

    def asking(self) -> Asked:
        """What to ask for `heard`, beside other things."""
        return _VERSION, [{"shard": self._shard}]

    def current(self, connection: Connection) -> Directory:
        """The directory at the version that the connection sees."""
        (answer,) = together(connection, self.asking())
        return self.heard(connection, answer)

    def heard(self, connection: Connection, answer: Answer) -> Directory:
        """The directory at the version of the answer."""
        self._last = self._at(connection, answer)
        return self._last

    def midway(self, connection: Connection) -> Directory:
        """As the connection sees it. Not remembered: what it has changed may yet be undone."""
        (answer,) = together(connection, self.asking())
        return self._at(connection, answer)

    def _at(self, connection: Connection, answer: Answer) -> Directory:
        version, tokens = answer.rows[0] if answer.rows else (0, 0)
        last = self._last
        if last is None or last.version != version:
            last = read_directory(connection, shard=self._shard, version=version)
        elif last.tokens == tokens:
            return last
        # What was worked out of the directory goes on being true.
        return replace(last, tokens=tokens, ended=ended_tokens(connection, shard=self._shard))


def read_directory(connection: Connection, *, shard: int, version: int) -> Directory:
    organisations = documents(connection, shard=shard, kind="organisation")
    partnerships = documents(connection, shard=shard, kind="partnership")
    known = read_organisations(
        {
            "version": str(version),
            "organisations": list(organisations.values()),
            "partnerships": list(partnerships.values()),
        }
    )
    agreements = documents(connection, shard=shard, kind="agreement")
    analysed = analysed_in(documents(connection, shard=shard, kind=RISK_ANALYSIS).values())
    return Directory(
        version=version,
        organisations={each.id: each for each in known.organisations},
        partnerships={each.id: each for each in known.partnerships},
        agreements=tuple(read_agreement(body, analysed) for body in agreements.values()),
        analysed=analysed,
        applications=_applications(connection, shard),
        notices=notices_in(connection, shard=shard),
        token_keys=retired_keys(connection, shard=shard),
        persons=persons_in(connection, shard=shard),
        mergers={
            OrganisationId(id): Merger(OrganisationId(each["into"]), each["at"])
            for id, each in documents(connection, shard=shard, kind="merger").items()
        },
    )


def _applications(
    connection: Connection, shard: int
) -> Mapping[ApplicationId, RegisteredApplication]:
    return {
        ApplicationId(row.id): RegisteredApplication(
            ApplicationId(row.id),
            OrganisationId(row.organisation),
            frozenset(row.scopes.split()),
            json.loads(row.key),
            row.revoked_at is not None,
            former=None if row.former_key is None else json.loads(row.former_key),
            former_until=row.former_until,
            suspended=row.suspended_at is not None,
            expires_at=row.expires_at,
            burst=row.burst_at is not None,
        )
        for row in connection.execute(_APPLICATIONS, {"shard": shard})
    }


def documents(connection: Connection, *, shard: int, kind: str) -> dict[str, Mapping[str, Any]]:
    """Every document of a kind by its id, in the order of ids."""
    rows = connection.execute(_DOCUMENTS, {"shard": shard, "kind": kind})
    return {id: json.loads(document) for id, document in rows}


def put_documents(
    connection: Connection, *, shard: int, kind: str, new: Mapping[str, Mapping[str, Any]]
) -> None:
    """Store these documents in place of those with the same ids."""
    rows = [
        {"shard": shard, "kind": kind, "id": id, "document": _text(body)}
        for id, body in new.items()
    ]
    if rows:
        old = (col(DirectoryEntry.shard) == shard) & (col(DirectoryEntry.kind) == kind)
        connection.execute(delete(DirectoryEntry).where(old, col(DirectoryEntry.id).in_(list(new))))
        connection.execute(insert(DirectoryEntry), rows)


def add_application(connection: Connection, application: Application) -> None:
    connection.execute(insert(Application), application.model_dump())


def change_application(
    connection: Connection, *, shard: int, application: ApplicationId, **values: Any
) -> bool:
    """Whether there was such an application that was not revoked; then it has these values."""
    mine = (col(Application.shard) == shard) & (col(Application.id) == application)
    changed = update(Application).where(mine, col(Application.revoked_at).is_(None))
    return connection.execute(changed.values(**values)).rowcount == 1


def put_members(connection: Connection, *, shard: int, members: Sequence[Member]) -> None:
    for member in members:
        same = (col(Member.organisation) == member.organisation) & (col(Member.id) == member.id)
        connection.execute(delete(Member).where(col(Member.shard) == shard, same))
        connection.execute(insert(Member), member.model_dump())


def moved(connection: Connection, *, shard: int) -> None:
    """Say that the directory has changed: every process reads it anew before it next decides."""
    mine = col(DirectoryState.shard) == shard
    raised = update(DirectoryState).where(mine).values(version=DirectoryState.version + 1)
    if not connection.execute(raised).rowcount:
        connection.execute(insert(DirectoryState), {"shard": shard, "version": 1, "tokens": 0})


def tokens_moved(connection: Connection, *, shard: int) -> None:
    """Say that a token was ended: every process hears of it before it next decides."""
    mine = col(DirectoryState.shard) == shard
    connection.execute(update(DirectoryState).where(mine).values(tokens=DirectoryState.tokens + 1))


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
