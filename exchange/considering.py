"""All that a decision rests on, read in the transaction that records it, and the decision."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json, to_json

from audit.prepared import Prepared, together
from consent import register
from consent.content import EVERY_SECTION, denied_fields
from consent.recipients import Asking
from consent.standing import ConsentFacts
from exchange import records
from exchange.acting import STRANGER, in_its_name
from exchange.bases import Basis, basis_in, facts_of, live_basis
from exchange.handovers import OPEN_FOR, Relation, relations_in
from exchange.nobody import read_no_consent, record_of_nobody
from exchange.records import KnownClient, SealedSection
from exchange.security.vault import Vault
from exchange.supposing import facts_in
from exchange.transaction import Transaction
from policies.decision import Decision, Facts, ReleaseRequest
from policies.deposit import Deposited
from policies.gates import Decider
from policies.insz import check_insz
from policies.minimisation import asked, said_no
from policies.text_scan import stopped_sections
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentId,
    GrantId,
    OrganisationId,
    Section,
)
from policies.volumes import REFUSED_AT, Room

FLAGS = frozenset({"high_risk", "restricted", "deceased", "under_inquiry"})
"""Internal flags: they steer rules and are never told in any format."""

_BLOCKING = frozenset({"restricted", "deceased"})
_EVERYTHING = denied_fields((EVERY_SECTION,))


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What every decision is made with. `demo`: only test numbers may be held."""

    decider: Decider
    demo: bool
    refused_at: int = REFUSED_AT
    """Per cent of the persons agreed on from which an agreement has no room."""


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """What is sealed in a client's row: who they say they are, internal flags, whom they keep out.

    `kept_out` holds members of staff as `person` names them; `bases` what the holder may rest
    a release on beside consent, the oldest first; `served`: see `policies.volumes`.
    """

    identity: dict[str, str]
    flags: frozenset[str]
    kept_out: frozenset[str] = frozenset()
    bases: tuple[Basis, ...] = ()
    served: frozenset[str] = frozenset()

    def to_bytes(self) -> bytes:
        body: dict[str, Any] = {"flags": sorted(self.flags), "identity": self.identity}
        if self.kept_out:
            body["kept_out"] = sorted(self.kept_out)
        if self.bases:
            body["bases"] = [each.to_json() for each in self.bases]
        if self.served:
            body["served"] = sorted(self.served)
        return to_json(body)


def person(organisation: OrganisationId, member: str) -> str:
    """A member of staff by the organisation's own number, however it is written."""
    return f"{organisation}/{member}".casefold()


@dataclass(frozen=True, slots=True)
class Considered:
    """A decision with the names of what it rests on, and the sections that it lets go."""

    decision: Decision
    made_from: Facts
    facts: ConsentFacts
    named: frozenset[str]
    consents: tuple[ConsentId, ...]
    grants: tuple[GrantId, ...]
    sections: tuple[SealedSection, ...]
    flags: frozenset[str]
    basis: Basis | None = None
    served: frozenset[str] = frozenset()

    @property
    def masked(self) -> bool:
        """Whether the recipient may not learn where the client comes from."""
        flow = self.decision.flow
        return (flow is not None and flow.origin_masking) or "high_risk" in self.flags


def record_of(tx: Transaction, client: KnownClient) -> ClientRecord:
    """What is sealed in the client's row. Nobody has no identity and no flags."""
    return opened_record(tx.vault, client)


def opened_record(vault: Vault, client: KnownClient) -> ClientRecord:
    """As `record_of`, for whoever has the vault and no transaction."""
    if client.id == NOBODY:
        json.loads(record_of_nobody(vault))
        return ClientRecord({}, frozenset())
    body = json.loads(vault.open(client.id, client.sealed, "client"))
    kept_out = frozenset(body.get("kept_out", ()))
    bases = tuple(map(basis_in, body.get("bases", ())))
    served = frozenset(body.get("served", ()))
    return ClientRecord(body["identity"], frozenset(body["flags"]), kept_out, bases, served)


@dataclass(frozen=True, slots=True)
class OnFile:
    """What stands about a client that a release to one recipient may rest on, still sealed."""

    relations: Sequence[Relation]
    consents: Sequence[Sequence[Any]]
    sections: Sequence[SealedSection]


_CONSENTS = Prepared(register.CONSENTS)


def on_file(tx: Transaction, client: KnownClient, recipient: OrganisationId) -> OnFile:
    """Read it, in one round trip; for a client that does not exist as well."""
    whose = {"shard": tx.shard, "client": client.id}
    relations, consents, sections, *keys = together(
        tx.connection,
        (OPEN_FOR, [whose | {"recipient": recipient, "now": tx.now}]),
        (_CONSENTS, [{"in_shard": tx.shard, "of_client": client.id}]),
        (records.SECTIONS, [whose]),
        *tx.keys.asking(client.id),
    )
    tx.keys.heard(client.id, keys)
    return OnFile(relations_in(relations.rows), consents.rows, records.sections_in(sections.rows))


def consider(
    tx: Transaction,
    rulebook: Rulebook,
    request: ReleaseRequest,
    client: KnownClient,
    known: OnFile,
    *,
    care_relation: bool,
    first_contact_at: int | None = None,
    end_user: str = "",
) -> Considered:
    """Decide on what is on file. The same is done for a client that does not exist.

    To an `end_user` (see `person`) whom the client keeps out, everything is denied.
    """
    record = record_of(tx, client)
    flags = record.flags
    asking = asking_for(tx, client, request.recipient, request.purpose, first_contact_at)
    consents = _consents(tx, client, asking, known.consents)
    if end_user in record.kept_out:
        consents = replace(consents, denied=_EVERYTHING)
    if not known.consents:
        read_no_consent(tx.vault)
    facts = facts_for(
        tx, rulebook, request, client, known.sections, consents, flags, care_relation=care_relation
    )
    basis = _basis(tx, client, record, request.recipient, request.purpose)
    if basis is not None:
        facts = replace(facts, basis=facts_of(basis))
    if not any(each.purpose == request.purpose for each in known.relations):
        # Who is being helped for this purpose goes on being helped, whatever was agreed on.
        room = Room(tx.directory.persons, record.served, rulebook.refused_at)
        facts = replace(facts, flows=room.of(facts.flows, request.purpose, tx.day.year))
    considered = considered_on(
        rulebook, request, facts, consents, known.sections, flags, record.served
    )
    return replace(considered, basis=basis) if considered.decision.on_basis else considered


def facts_for(
    tx: Transaction,
    rulebook: Rulebook,
    request: ReleaseRequest,
    client: KnownClient,
    stored: Sequence[SealedSection],
    consents: ConsentFacts,
    flags: frozenset[str],
    *,
    care_relation: bool,
) -> Facts:
    """What a decision is made from, for consents that are on file or about to be."""
    facts = facts_in(
        tx.directory,
        tx.day,
        request,
        client.holder,
        consents,
        care_relation=care_relation,
        known=client.id != NOBODY,
        blocked=not flags.isdisjoint(_BLOCKING),
        quarantined=_quarantined(tx, client, stored),
        real_number=rulebook.demo and _real_number(tx, request, client, stored),
    )
    if request.processor is None:
        return facts
    both, flows = in_its_name(tx, rulebook.decider, request, facts.recipient, facts.flows)
    return replace(facts, recipient=both, flows=flows)


def considered_on(
    rulebook: Rulebook,
    request: ReleaseRequest,
    facts: Facts,
    consents: ConsentFacts,
    stored: Sequence[SealedSection],
    flags: frozenset[str],
    served: frozenset[str] = frozenset(),
) -> Considered:
    """The decision on these facts, with the names of what it rests on."""
    decision = rulebook.decider.decide(request, facts)
    rests_on = [consents.refs[position] for position in decision.rests_on]
    return Considered(
        decision=decision,
        made_from=facts,
        facts=consents,
        named=frozenset().union(*(consents.grants[each].named for each in decision.rests_on)),
        consents=tuple(dict.fromkeys(consent for consent, _ in rests_on)),
        grants=tuple(dict.fromkeys(grant for _, grant in rests_on)),
        sections=tuple(each for each in stored if each.section in decision.sections),
        flags=flags,
        served=served,
    )


def sections_asked(request: ReleaseRequest) -> tuple[str, ...]:
    """The sections as asked, for the leaf; a purpose that may use none stands for all."""
    return tuple(sorted(asked(request))) or ("all",)


def covered(tx: Transaction, client: KnownClient, recipient: OrganisationId, purpose: str) -> bool:
    """Whether a grant, or a basis beside consent, still lets this recipient read for this purpose.

    As far as that can be told without deciding: a basis may yet fall to secrecy.
    """
    consents = _consents(tx, client, asking_for(tx, client, recipient, purpose, None), None)
    if any(grant.ended is None for grant in consents.grants):
        return True
    if said_no(consents.grants, refused=consents.refused):
        return False
    return _basis(tx, client, record_of(tx, client), recipient, purpose) is not None


def stopped(tx: Transaction, client: KnownClient, recipient: OrganisationId, purpose: str) -> bool:
    """Whether a no of the client stands for this recipient and purpose, or a yes is on hold."""
    consents = _consents(tx, client, asking_for(tx, client, recipient, purpose, None), None)
    return said_no(consents.grants, refused=consents.refused)


def grants_covering(
    tx: Transaction, client: KnownClient, recipient: OrganisationId, purpose: str
) -> frozenset[tuple[ConsentId, GrantId]]:
    """The grants of the client that now let this recipient have something for this purpose."""
    facts = _consents(tx, client, asking_for(tx, client, recipient, purpose, None), None)
    stand = zip(facts.refs, facts.grants, strict=True)
    return frozenset(ref for ref, grant in stand if grant.ended is None)


def asking_for(
    tx: Transaction,
    client: KnownClient,
    recipient: OrganisationId,
    purpose: str,
    first_contact_at: int | None,
) -> Asking:
    """Who asks, as consents are held against it."""
    return Asking(
        recipient=recipient,
        recipient_type=tx.directory.type_of(recipient) or STRANGER.type,
        holder=client.holder,
        purpose=purpose,
        partnerships=tx.directory.members_at,
        happened={} if first_contact_at is None else {"first_contact": first_contact_at},
    )


def _basis(
    tx: Transaction,
    client: KnownClient,
    record: ClientRecord,
    recipient: OrganisationId,
    purpose: str,
) -> Basis | None:
    if not record.bases:
        return None
    return live_basis(
        record.bases,
        tx.directory,
        holder=client.holder,
        recipient=recipient,
        purpose=purpose,
        now=tx.now,
        day=tx.day,
    )


def _consents(
    tx: Transaction,
    client: KnownClient,
    asking: Asking,
    found: Sequence[Sequence[Any]] | None,
) -> ConsentFacts:
    return register.facts_about(
        tx.connection,
        shard=tx.shard,
        client=client.id,
        asking=asking,
        at=tx.at,
        sealing=tx.vault,
        notices=tx.directory.notices,
        found=found,
    )


def opened(
    tx: Transaction, client: KnownClient, section: SealedSection
) -> dict[str, dict[str, object]]:
    """The fields of one stored section with their envelopes."""
    return opened_with(tx.vault, client.id, section)


def opened_with(
    vault: Vault, client: ClientId, section: SealedSection
) -> dict[str, dict[str, object]]:
    """As `opened`, outside a transaction."""
    context = section_context(section.section, section.version)
    body: dict[str, dict[str, object]] = from_json(vault.open(client, section.sealed, context))
    return body


def sealed_sections(
    vault: Vault, client: ClientId, version: int, deposited: Deposited
) -> dict[Section, bytes]:
    """Each section as it is stored; done before the queue, not while everybody waits."""
    texts = {section: to_json(fields) for section, fields in deposited.sections.items()}
    return sealed_texts(vault, client, version, texts)


def sealed_texts(
    vault: Vault, client: ClientId, version: int, texts: Mapping[Section, bytes]
) -> dict[Section, bytes]:
    """As `sealed_sections`, of sections that are JSON already."""
    contexts = {section: section_context(section, version) for section in texts}
    boxes = vault.seal_all(client, {contexts[each]: text for each, text in texts.items()})
    return {section: boxes[context] for section, context in contexts.items()}


def section_context(section: Section, version: int) -> str:
    """What binds a sealed section to its place; the vault adds shard and client."""
    return f"summary|{section}|{version}"


def _quarantined(
    tx: Transaction, client: KnownClient, stored: Sequence[SealedSection]
) -> frozenset[Section]:
    """Sections whose text the scanner of today stops.

    What today's scanner passed on its way in can not fail now: the box is proof that the
    text is the same. Only what an earlier scanner passed is opened and read again.
    """
    scanner = tx.directory.scanner
    earlier = [each for each in stored if each.scanned != scanner.fingerprint]
    texts = {each.section: opened(tx, client, each) for each in earlier}
    return stopped_sections(texts, scanner) if texts else frozenset()


def _real_number(
    tx: Transaction, request: ReleaseRequest, client: KnownClient, stored: Sequence[SealedSection]
) -> bool:
    if request.sections is None or Section.NATID not in request.sections:
        return False
    for each in stored:
        if each.section == Section.NATID:
            held = opened(tx, client, each).get("insz", {}).get("value")
            number = check_insz(str(held))
            return number is None or not number.is_test
    return False
