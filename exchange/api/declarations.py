"""What each address promises: whom it lets in, whose data it reaches, how often, how sensitive.

One table, so that all doors can be looked at in one place. An address without a row, a row
without its address, and a row that says something else than the address does, each fail a test.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from exchange.flows.administer import EVERY_SCOPE


class Tenant(StrEnum):
    """Whose data an answer may hold; anything else is `not-available`."""

    NOBODY = "nobody"
    """Nothing of anybody: the service itself, or the log's public hashes."""

    CALLER = "caller"
    """What the caller's organisation itself sends, or all that it has a part in."""

    HOLDER = "holder"
    """Clients that the caller's organisation holds, by its own handle or consent id."""

    PARTY = "party"
    """Handovers that the caller's organisation sends or receives."""

    RELATED = "related"
    """Clients with whom the caller's organisation has a care relation, decided gate by gate."""

    EVERYBODY = "everybody"
    """All entries of the log, for supervisory authorities."""


class Rate(StrEnum):
    """Which allowance a call is taken from. The door asks for it here: see `COUNTED`."""

    TOKENS = "tokens"
    """An organisation's tokens."""

    ENDINGS = "endings"
    """None: who ends a token of its own is never told to wait for having asked too much."""

    QUERIES = "queries"
    CHANGES = "changes"
    WITHDRAWALS = "withdrawals"
    """Never short of room: it must always be possible to stop."""

    LOOKS = "looks"
    PUBLIC = "public"
    PROBES = "probes"


COUNTED = frozenset({Rate.QUERIES, Rate.CHANGES, Rate.LOOKS})
"""What is taken from an organisation's requests. Nothing else is ever refused for its quota."""


class Data(StrEnum):
    """How sensitive the most sensitive thing in body or answer is."""

    NONE = "none"
    PUBLIC = "public"
    CODES = "codes"
    """Ids and codes: personal only to who can join them."""

    PERSONAL = "personal"
    SPECIAL = "special"
    """May hold what articles 9 and 10 of the GDPR name."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """`scopes`: one of them is needed; none means that no access token is."""

    scopes: frozenset[str]
    tenant: Tenant
    rate: Rate
    data: Data


def _for(scopes: str, tenant: Tenant, rate: Rate, data: Data) -> Declaration:
    return Declaration(frozenset(scopes.split()), tenant, rate, data)


_STEP = _for("handover", Tenant.PARTY, Rate.CHANGES, Data.CODES)
_CHANGE = _for("consent", Tenant.HOLDER, Rate.CHANGES, Data.CODES)
_OPEN = _for("", Tenant.NOBODY, Rate.PUBLIC, Data.PUBLIC)
_STOP = _for("", Tenant.NOBODY, Rate.WITHDRAWALS, Data.NONE)
_BASIS = _for("consent", Tenant.HOLDER, Rate.CHANGES, Data.PERSONAL)
_EVALUATION = _for("audit audit-all", Tenant.HOLDER, Rate.LOOKS, Data.PERSONAL)
_PROBE = _for("", Tenant.NOBODY, Rate.PROBES, Data.NONE)

DECLARED: Mapping[tuple[str, str], Declaration] = {
    ("POST", "/v1/summaries/query"): _for("query", Tenant.RELATED, Rate.QUERIES, Data.SPECIAL),
    ("GET", "/v1/summaries/keys"): _OPEN,
    ("POST", "/v1/handovers"): _for("handover", Tenant.HOLDER, Rate.CHANGES, Data.CODES),
    ("GET", "/v1/handovers"): _for("handover", Tenant.CALLER, Rate.LOOKS, Data.CODES),
    ("GET", "/v1/handovers/{handover}"): _for("handover", Tenant.PARTY, Rate.LOOKS, Data.CODES),
    ("POST", "/v1/handovers/{handover}/acceptance"): _STEP,
    ("POST", "/v1/handovers/{handover}/refusal"): _STEP,
    ("POST", "/v1/handovers/{handover}/first-contact"): _STEP,
    ("POST", "/v1/handovers/{handover}/closure"): _STEP,
    ("POST", "/v1/handovers/{handover}/revocation"): _STEP,
    ("POST", "/v1/handovers/{handover}/acknowledgement"): _STEP,
    ("POST", "/v1/clients"): _for("client", Tenant.CALLER, Rate.CHANGES, Data.PERSONAL),
    ("PUT", "/v1/clients/{client}/flags"): _for(
        "client", Tenant.HOLDER, Rate.CHANGES, Data.PERSONAL
    ),
    ("POST", "/v1/clients/{client}/exclusions"): _for(
        "client", Tenant.HOLDER, Rate.CHANGES, Data.PERSONAL
    ),
    ("POST", "/v1/clients/{client}/bases"): _BASIS,
    ("GET", "/v1/clients/{client}/bases"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.PERSONAL
    ),
    ("POST", "/v1/clients/{client}/bases/{basis}/end"): _BASIS,
    ("POST", "/v1/clients/{client}/bases/{basis}/objection"): _BASIS,
    ("POST", "/v1/clients/{client}/bases/{basis}/objection/answer"): _BASIS,
    ("POST", "/v1/clients/{client}/disclosures"): _for(
        "client", Tenant.HOLDER, Rate.CHANGES, Data.CODES
    ),
    ("PUT", "/v1/clients/{client}/summary"): _for(
        "summary", Tenant.HOLDER, Rate.CHANGES, Data.SPECIAL
    ),
    ("GET", "/v1/clients/{client}/summary"): _for(
        "summary", Tenant.HOLDER, Rate.LOOKS, Data.SPECIAL
    ),
    ("POST", "/v1/clients/{client}/consents"): _for(
        "consent", Tenant.HOLDER, Rate.CHANGES, Data.PERSONAL
    ),
    ("POST", "/v1/clients/{client}/consents/preview"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.SPECIAL
    ),
    ("GET", "/v1/clients/{client}/consents"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.PERSONAL
    ),
    ("POST", "/v1/consents/{consent}/withdrawal"): _for(
        "consent", Tenant.HOLDER, Rate.WITHDRAWALS, Data.CODES
    ),
    ("GET", "/v1/consents/due"): _for("consent", Tenant.CALLER, Rate.LOOKS, Data.CODES),
    ("POST", "/v1/consents/{consent}/renewal"): _for(
        "consent", Tenant.HOLDER, Rate.CHANGES, Data.PERSONAL
    ),
    ("POST", "/v1/consents/{consent}/invalidation"): _CHANGE,
    ("POST", "/v1/consents/{consent}/revocation"): _CHANGE,
    ("POST", "/v1/consents/{consent}/suspension"): _CHANGE,
    ("POST", "/v1/consents/{consent}/resumption"): _CHANGE,
    ("POST", "/v1/withdrawals"): _STOP,
    ("GET", "/v1/recalls"): _for("consent handover", Tenant.CALLER, Rate.LOOKS, Data.CODES),
    ("POST", "/v1/recalls/{recall}/certificate"): _for(
        "handover", Tenant.PARTY, Rate.CHANGES, Data.CODES
    ),
    ("GET", "/v1/clients/{client}/recalls"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.PERSONAL
    ),
    ("GET", "/stop"): _OPEN,
    ("GET", "/stop/{language}"): _OPEN,
    ("POST", "/stop/{language}"): _STOP,
    ("GET", "/agreements"): _OPEN,
    ("HEAD", "/agreements"): _OPEN,
    ("GET", "/agreements/{agreement}"): _OPEN,
    ("HEAD", "/agreements/{agreement}"): _OPEN,
    ("GET", "/agreements/{agreement}/versions/{version}"): _OPEN,
    ("HEAD", "/agreements/{agreement}/versions/{version}"): _OPEN,
    ("GET", "/agreements/{agreement}/versions/{version}/pdf"): _OPEN,
    ("HEAD", "/agreements/{agreement}/versions/{version}/pdf"): _OPEN,
    ("GET", "/v1/consents/{consent}/receipt"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.PERSONAL
    ),
    ("GET", "/v1/consents/{consent}/record"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.PERSONAL
    ),
    ("POST", "/v1/consents/{consent}/confirmation"): _for(
        "consent", Tenant.HOLDER, Rate.CHANGES, Data.CODES
    ),
    ("PUT", "/v1/consents/{consent}/evidence"): _for(
        "consent", Tenant.HOLDER, Rate.CHANGES, Data.SPECIAL
    ),
    ("GET", "/v1/consents/{consent}/evidence"): _for(
        "consent", Tenant.HOLDER, Rate.LOOKS, Data.SPECIAL
    ),
    ("POST", "/v1/simulations"): _for("consent", Tenant.CALLER, Rate.LOOKS, Data.CODES),
    ("POST", "/v1/consent-requests"): _for("query", Tenant.CALLER, Rate.CHANGES, Data.CODES),
    ("GET", "/v1/consent-requests"): _for("consent query", Tenant.CALLER, Rate.LOOKS, Data.CODES),
    ("POST", "/v1/consent-requests/{request}/answer"): _for(
        "consent", Tenant.HOLDER, Rate.CHANGES, Data.PERSONAL
    ),
    ("POST", "/oauth/token"): _for("", Tenant.CALLER, Rate.TOKENS, Data.NONE),
    ("POST", "/oauth/revocation"): _for("", Tenant.CALLER, Rate.ENDINGS, Data.NONE),
    ("GET", "/.well-known/oauth-authorization-server"): _OPEN,
    ("GET", "/.well-known/jwks.json"): _OPEN,
    ("GET", "/.well-known/consent-receipt-keys.json"): _OPEN,
    ("POST", "/v1/audit/search"): _for("audit audit-all", Tenant.CALLER, Rate.LOOKS, Data.PERSONAL),
    ("POST", "/v1/audit/exports"): _for(
        "audit audit-all", Tenant.CALLER, Rate.LOOKS, Data.PERSONAL
    ),
    ("POST", "/v1/audit/receipts"): _for(
        " ".join(EVERY_SCOPE), Tenant.CALLER, Rate.LOOKS, Data.CODES
    ),
    ("GET", "/v1/audit/checkpoint"): _OPEN,
    ("GET", "/v1/audit/entries/{index}"): _for(
        "audit audit-all", Tenant.CALLER, Rate.LOOKS, Data.CODES
    ),
    ("GET", "/v1/audit/entries/{index}/explanation"): _for(
        "audit audit-all", Tenant.CALLER, Rate.LOOKS, Data.PERSONAL
    ),
    ("POST", "/access/v1/evaluation"): _EVALUATION,
    ("POST", "/access/v1/evaluations"): _EVALUATION,
    ("GET", "/.well-known/authzen-configuration"): _OPEN,
    ("GET", "/audit/tlog/{log}/checkpoint"): _OPEN,
    ("GET", "/audit/tlog/{log}/tile/entries/{place}"): _for(
        "audit-all", Tenant.EVERYBODY, Rate.LOOKS, Data.CODES
    ),
    ("GET", "/audit/tlog/{log}/tile/{level}/{place}"): _OPEN,
    ("GET", "/openapi.json"): _OPEN,
    ("GET", "/healthz"): _PROBE,
    ("GET", "/readyz"): _PROBE,
    ("GET", "/metrics"): _PROBE,
}


def rate_of(method: str, path: str) -> Rate:
    """The allowance of a route, by its path as the router has it."""
    return DECLARED[method, path.replace(":path}", "}")].rate


def _form(path: str) -> re.Pattern[str]:
    """What addresses of that form look like; only a place in the log may hold slashes."""
    text = re.escape(path).replace(r"\{place\}", ".+")
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", text))


_FORMS = [(method, _form(path)) for method, path in DECLARED]


def methods_of(path: str) -> list[str]:
    """What the address takes, in alphabetical order."""
    return sorted({method for method, form in _FORMS if form.fullmatch(path)})
