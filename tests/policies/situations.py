"""Valid things in one line; a test states only what it is about.

The employment service asks a guidance service for a client's summary, with everything in
order: it is accredited, has an agreement, a care relation and a live grant.
"""

from functools import cache
from typing import Any

from policies.decision import Facts, FlowFacts, GrantFacts, RecipientFacts, ReleaseRequest
from policies.grants import read_grant
from policies.site_rules import Overlay, load_overlay
from policies.summary_model import fields_of
from policies.vocabulary import (
    AgreementId,
    FieldId,
    Operation,
    OrganisationId,
    OrganisationType,
    Section,
)

VDAB = OrganisationId("vdab-wvl")
GRANTED = ("ident", "educ", "work", "goals")


@cache
def shipped_overlay() -> Overlay:
    return load_overlay()


def fields(*names: str) -> frozenset[FieldId]:
    """All fields of the sections, and the single fields, that are named."""
    found: set[FieldId] = set()
    for name in names:
        found |= {FieldId(name)} if "." in name else fields_of(Section(name))
    return frozenset(found)


def a_request(*sections: str, **changes: Any) -> ReleaseRequest:
    asked = frozenset(map(Section, sections)) if sections else None
    values: dict[str, Any] = {"recipient": VDAB, "purpose": "P2", "sections": asked}
    return ReleaseRequest(**(values | changes))


def a_recipient(**changes: Any) -> RecipientFacts:
    values: dict[str, Any] = {
        "type": OrganisationType.PUBLIC_EMPLOYMENT_SERVICE,
        "accredited": True,
        "in_eea": True,
        "insz_authorised": True,
        "secrecy": False,
    }
    return RecipientFacts(**(values | changes))


def a_grant(*sections: str, include: tuple[str, ...] = (), **changes: Any) -> GrantFacts:
    given, named = read_grant(sections=sections or GRANTED, include=include)
    values: dict[str, Any] = {
        "fields": given,
        "named": named,
        "precision": (),
        "operations": frozenset({Operation.VIEW}),
        "ended": None,
        "secrecy_release": False,
    }
    return GrantFacts(**(values | changes))


def a_flow(*names: str, **changes: Any) -> FlowFacts:
    values: dict[str, Any] = {
        "agreement": AgreementId("PR-2026-001"),
        "fields": fields(*(names or Section)),
        "caps": (),
        "operations": frozenset({Operation.NOTIFY, Operation.VIEW}),
        "onward": False,
        "origin_masking": False,
    }
    return FlowFacts(**(values | changes))


def some_facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "recipient": a_recipient(),
        "holder_secrecy": False,
        "known": True,
        "blocked": False,
        "care_relation": True,
        "any_agreement": True,
        "flows": (a_flow(),),
        "grants": (a_grant(),),
    }
    return Facts(**(values | changes))


def nobodys_facts(**changes: Any) -> Facts:
    """What there is to say of a handle that stands for no client."""
    none: dict[str, Any] = {"known": False, "care_relation": False, "flows": (), "grants": ()}
    return some_facts(**(none | changes))
