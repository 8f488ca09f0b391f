"""Small parts for tests of consents: a directory, a library, a sealing, bodies to send."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from consent import register
from consent.belgian_time import instant
from consent.notices import Notice, NoticeLibrary
from consent.recipients import Asking
from consent.register import ConsentFacts
from consent.renewal import read_renewal
from consent.terms import Terms, TermsRefused, read_terms
from policies.vocabulary import ClientId, ConsentId, OrganisationId, OrganisationType, Reason

DATA = Path(__file__).parent.parent / "data"
NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)
HOLDER = OrganisationId("destap-ww")
VDAB = OrganisationId("vdab-gent")
CLIENT = ClientId("018f7b1e-0000-4000-8000-000000000001")
TICK = timedelta(microseconds=1)
ADULT_BORN = date(1990, 5, 1)
MINOR_BORN = date(2009, 5, 14)
MINOR = {"type": "capable_minor", "assessed_by": "destap-ww/psy", "on": "2026-10-05"}
GUARDIAN = {"type": "guardian", "mandate": {"sha256": "d" * 64, "purposes": ["P2"]}}
NOTICE = {"id": "N-P2", "version": "2.1", "lang": "nl", "channel": "portal"}
BASE_NOTICE = Notice("N-P2", "2.1", "nl", "a" * 64, substantive=True, text="...")

TYPES: Mapping[str, OrganisationType] = {
    "destap-ww": OrganisationType.GUIDANCE_SERVICE,
    "leerwinkel-wvl": OrganisationType.GUIDANCE_SERVICE,
    "vdab-gent": OrganisationType.PUBLIC_EMPLOYMENT_SERVICE,
    "vdab-wvl": OrganisationType.PUBLIC_EMPLOYMENT_SERVICE,
    "ocmw-kortrijk": OrganisationType.LOCAL_WELFARE_CENTRE,
    "clb-topunt": OrganisationType.PUPIL_GUIDANCE_CENTRE,
    "clb-zuidwest": OrganisationType.PUPIL_GUIDANCE_CENTRE,
    "agii-wvl": OrganisationType.INTEGRATION_AGENCY,
    "cvo-west": OrganisationType.TRAINING_PROVIDER,
    "prison-brugge-tb": OrganisationType.PRISON_SERVICE,
    "dep-onderwijs": OrganisationType.EDUCATION_MINISTRY,
    "bakkerij": OrganisationType.EMPLOYER,
}
MEMBERS: Mapping[str, Sequence[tuple[str, date, date]]] = {
    "lp-zuid-wvl": (
        ("vdab-wvl", date(2024, 1, 1), date.max),
        ("ocmw-kortrijk", date(2024, 1, 1), date.max),
        ("clb-zuidwest", date(2024, 1, 1), date(2026, 8, 31)),
        ("cvo-west", date(2026, 12, 1), date.max),
    )
}


class Houses:
    """The few organisations that these tests speak of."""

    def type_of(self, organisation: OrganisationId) -> OrganisationType | None:
        return TYPES.get(organisation)

    def has_site(self, organisation: OrganisationId, site: str) -> bool:
        return organisation in TYPES and site == "ktr"

    def members_at(self, partnership: str, day: date) -> frozenset[OrganisationId]:
        members = MEMBERS.get(partnership, ())
        return frozenset(
            OrganisationId(name) for name, since, left in members if since <= day < left
        )


HOUSES = Houses()


@dataclass
class OneKey:
    """Seals everything under one key, as it would be under a client's; counts what it opens."""

    key: bytes = field(default_factory=lambda: AESGCM.generate_key(256))
    opened: int = 0

    def seal(self, client: ClientId, plain: bytes, context: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(self.key).encrypt(nonce, plain, f"{client}|{context}".encode())

    def open(self, client: ClientId, sealed: bytes, context: str) -> bytes:
        self.opened += 1
        bound = f"{client}|{context}".encode()
        return AESGCM(self.key).decrypt(sealed[:12], sealed[12:], bound)


def library(*more: Notice) -> NoticeLibrary:
    return NoticeLibrary([BASE_NOTICE, *more])


def grant(**members: Any) -> dict[str, Any]:
    said = {
        "purpose": "P2",
        "recipient": "org:vdab-gent",
        "sections": ["ident", "goals"],
        "ops": ["view"],
        "until": "2027-04-01",
    }
    return {name: held for name, held in {**said, **members}.items() if held is not None}


def body(**members: Any) -> dict[str, Any]:
    said = {
        "functions": ["gdpr_basis"],
        "capacity": {"type": "adult"},
        "notice": NOTICE,
        "evidence": {"method": "portal_click"},
        "grants": [grant()],
    }
    return {name: held for name, held in {**said, **members}.items() if held is not None}


def terms(
    at: datetime = NOON,
    born: date | None = ADULT_BORN,
    controller: OrganisationId = HOLDER,
    **members: Any,
) -> Terms:
    return read_terms(
        body(**members),
        controller=controller,
        at=at,
        born=born,
        directory=HOUSES,
        notice_known=library().known,
    )


def asking(**members: Any) -> Asking:
    recipient = members.get("recipient", VDAB)
    said = {
        "recipient": recipient,
        "recipient_type": TYPES[recipient],
        "holder": HOLDER,
        "purpose": "P2",
        "partnerships": HOUSES.members_at,
    }
    return Asking(**{**said, **members})


@dataclass
class Desk:
    """The register as one controller's desk uses it: in one shard, for one client."""

    connection: Connection
    sealing: OneKey = field(default_factory=OneKey)
    notices: NoticeLibrary = field(default_factory=library)
    shard: int = 1
    ids: Any = field(default_factory=lambda: count(1))

    def give(self, at: datetime = NOON, client: ClientId = CLIENT, **members: Any) -> ConsentId:
        consent = ConsentId(f"c-{next(self.ids):04}")
        controller = members.get("controller", HOLDER)
        register.give(
            self.connection,
            shard=self.shard,
            consent=consent,
            client=client,
            controller=controller,
            terms=members["said"] if "said" in members else terms(at=at, **members),
            at=at,
            sealing=self.sealing,
        )
        return consent

    def withdraw(self, consent: ConsentId, at: datetime = NOON, **members: Any) -> Any:
        said = {"controller": HOLDER, "grants": None, "via": "portal", **members}
        return register.withdraw(
            self.connection,
            shard=self.shard,
            consent=consent,
            at=at,
            sealing=self.sealing,
            **said,
        )

    def renew(self, consent: ConsentId, at: datetime = NOON, **members: Any) -> Any:
        mergers = members.pop("mergers", {})
        sent = {"notice": NOTICE, "evidence": {"method": "itsme"}, **members}
        return register.renew(
            self.connection,
            shard=self.shard,
            consent=consent,
            controller=HOLDER,
            renewal=read_renewal(sent, at=at, notice_known=self.notices.known),
            at=at,
            sealing=self.sealing,
            mergers=mergers,
        )

    def facts(self, at: datetime = NOON, client: ClientId = CLIENT, **members: Any) -> ConsentFacts:
        return register.facts_about(
            self.connection,
            shard=self.shard,
            client=client,
            asking=asking(**members),
            at=at,
            sealing=self.sealing,
            notices=self.notices,
        )

    def ended(self, at: datetime = NOON, **members: Any) -> list[Reason | None]:
        """What became of each grant for who asks."""
        return [each.ended for each in self.facts(at, **members).grants]


def micros(at: datetime) -> int:
    return instant(at)


def problems(born: date | None = ADULT_BORN, at: datetime = NOON, **members: Any) -> set[str]:
    with pytest.raises(TermsRefused) as refused:
        terms(born=born, at=at, **members)
    return {f"{place}: {code}" for place, code in refused.value.problems}
