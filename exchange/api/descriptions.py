"""What each address takes and answers, beside what its declaration already tells.

`exchange.api.openapi` makes the contract of it; an address without a row fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from consent.forms import record_schema
from exchange import problems
from exchange.api import answer_schemas as schemas
from exchange.api.answer_schemas import Schema
from exchange.api.audit import NewExport, NewReceipt, NewSearch
from exchange.api.bases import ClaimedBasis, ObjectionAnswer
from exchange.api.clients import NewClient, NewDisclosure, NewFlags
from exchange.api.consents import NewWithdrawal
from exchange.api.credentials import ASSERTION_TYPE
from exchange.api.deposit_schema import deposit_schema
from exchange.api.handovers import (
    Acceptance,
    Acknowledgement,
    Closure,
    FirstContact,
    NewHandover,
    NewRefusal,
    NewRevocation,
)
from exchange.api.summaries import Query
from exchange.problems import Problem
from policies.vocabulary import HandoverState, Reason

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TEXT, BYTES = "text/plain", "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which an address says yes: its body, of which type, and its own headers.

    An empty schema is bytes that no schema is for; with none there is no body.
    """

    schema: Schema | None
    kind: str = JSON
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`problems`: what may come beside that which any address of its declaration may answer."""

    answers: Mapping[int, Answer]
    body: type[BaseModel] | Schema | None = None
    form: bool = False
    parameters: tuple[Schema, ...] = ()
    problems: tuple[Problem, ...] = ()
    security: tuple[Mapping[str, list[str]], ...] = field(default=())


def _json(schema: Schema, status: int = 200) -> Mapping[int, Answer]:
    return {status: Answer(schema)}


def _parameter(name: str, where: str, schema: Schema, *, needed: bool = False) -> Schema:
    return {"name": name, "in": where, "required": needed, "schema": schema}


def _step(body: type[BaseModel]) -> Description:
    not_open = problems.REFUSALS[Reason.HANDOVER_NOT_OPEN]
    return Description(answers=_json(schemas.MOVED), body=body, problems=(not_open,))


_REFUSED = (
    problems.NO_AGREEMENT,
    problems.NOT_ACCREDITED,
    problems.PURPOSE_UNKNOWN,
    problems.PURPOSE_PROHIBITED,
    problems.NO_IDENTIFIER,
    problems.NOT_AVAILABLE,
)
_VERSION = ("ETag",)
_ASSERTION: Mapping[str, Schema] = {
    "client_assertion_type": {"const": ASSERTION_TYPE},
    "client_assertion": schemas.SAID,
    "client_id": schemas.SAID,
}
_OAUTH = (problems.BAD_TOKEN_REQUEST, problems.INVALID_CLIENT)
_NOWHERE = (problems.NOT_AVAILABLE,)

DESCRIBED: Mapping[tuple[str, str], Description] = {
    ("POST", "/v1/summaries/query"): Description(
        answers=_json(schemas.SUMMARY), body=Query, problems=_REFUSED
    ),
    ("GET", "/v1/summaries/keys"): Description(answers=_json(schemas.KEY_SET)),
    ("POST", "/v1/handovers"): Description(
        answers=_json(schemas.OFFERED, 201),
        body=NewHandover,
        parameters=(
            _parameter(
                "Idempotency-Key", "header", schemas.text(r"^[\x21-\x7e]{8,200}$"), needed=True
            ),
        ),
        problems=(
            *_REFUSED,
            problems.SHARING_REFUSED,
            problems.REFUSALS[Reason.KEY_REUSED],
        ),
    ),
    ("GET", "/v1/handovers"): Description(
        answers=_json(schemas.BOX),
        parameters=(
            _parameter("box", "query", schemas.word("inbox", "outbox")),
            _parameter("state", "query", schemas.word(*HandoverState)),
            _parameter("cursor", "query", {"type": "string", "maxLength": 200}),
            _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 200}),
        ),
        problems=(*_NOWHERE, problems.INVALID_CONTENT),
    ),
    ("GET", "/v1/handovers/{handover}"): Description(answers=_json(schemas.ENVELOPE)),
    ("POST", "/v1/handovers/{handover}/acceptance"): _step(Acceptance),
    ("POST", "/v1/handovers/{handover}/refusal"): _step(NewRefusal),
    ("POST", "/v1/handovers/{handover}/first-contact"): _step(FirstContact),
    ("POST", "/v1/handovers/{handover}/closure"): _step(Closure),
    ("POST", "/v1/handovers/{handover}/revocation"): _step(NewRevocation),
    ("POST", "/v1/handovers/{handover}/acknowledgement"): _step(Acknowledgement),
    ("POST", "/v1/clients"): Description(
        answers={200: Answer(schemas.REGISTERED), 201: Answer(schemas.REGISTERED)},
        body=NewClient,
        problems=(problems.NO_IDENTIFIER, problems.NOT_AVAILABLE),
    ),
    ("PUT", "/v1/clients/{client}/flags"): Description(
        answers=_json(schemas.FLAGGED), body=NewFlags
    ),
    ("POST", "/v1/clients/{client}/bases"): Description(
        answers=_json(schemas.BASIS, 201), body=ClaimedBasis
    ),
    ("GET", "/v1/clients/{client}/bases"): Description(answers=_json(schemas.BASES)),
    ("POST", "/v1/clients/{client}/bases/{basis}/end"): Description(answers=_json(schemas.BASIS)),
    ("POST", "/v1/clients/{client}/bases/{basis}/objection"): Description(
        answers=_json(schemas.BASIS)
    ),
    ("POST", "/v1/clients/{client}/bases/{basis}/objection/answer"): Description(
        answers=_json(schemas.BASIS), body=ObjectionAnswer
    ),
    ("POST", "/v1/clients/{client}/disclosures"): Description(
        answers=_json(schemas.DISCLOSED, 201), body=NewDisclosure
    ),
    ("PUT", "/v1/clients/{client}/summary"): Description(
        answers={200: Answer(schemas.DEPOSITED, headers=_VERSION)},
        body=deposit_schema(),
        parameters=(_parameter("If-Match", "header", {"type": "string", "maxLength": 40}),),
        problems=(problems.REFUSALS[Reason.STALE_VERSION], problems.NO_IDENTIFIER),
    ),
    ("GET", "/v1/clients/{client}/summary"): Description(
        answers={200: Answer(schemas.OWN_COPY, headers=_VERSION)}
    ),
    ("POST", "/v1/clients/{client}/consents"): Description(
        answers=_json(schemas.GIVEN, 201), body=record_schema()
    ),
    ("GET", "/v1/clients/{client}/consents"): Description(answers=_json(schemas.CONSENTS)),
    ("POST", "/v1/consents/{consent}/withdrawal"): Description(
        answers={200: Answer(schemas.ENDED), 202: Answer(schemas.KEPT)},
        body=NewWithdrawal,
        problems=(problems.REFUSALS[Reason.ALREADY_WITHDRAWN],),
    ),
    ("GET", "/v1/consents/{consent}/receipt"): Description(
        answers={200: Answer({}, "application/jwt")}
    ),
    ("POST", "/oauth/token"): Description(
        answers=_json(schemas.TOKEN),
        body=schemas.whole(
            ("client_id", "scope", "resource"),
            grant_type={"const": "client_credentials"},
            scope=schemas.SAID,
            resource=schemas.SAID,
            **_ASSERTION,
        ),
        form=True,
        parameters=(_parameter("DPoP", "header", schemas.TEXT),),
        problems=(
            *_OAUTH,
            problems.INVALID_SCOPE,
            problems.UNSUPPORTED_GRANT,
            problems.BAD_TOKEN_PROOF,
            problems.TOKEN_NEEDS_NONCE,
            problems.TOO_MANY_TOKENS,
            problems.TOO_MANY,
        ),
    ),
    ("POST", "/oauth/revocation"): Description(
        answers={200: Answer(None)},
        body=schemas.whole(
            ("client_id", "token_type_hint"),
            token=schemas.SAID,
            token_type_hint=schemas.SAID,
            **_ASSERTION,
        ),
        form=True,
        problems=(*_OAUTH, problems.TOO_MANY),
    ),
    ("GET", "/.well-known/oauth-authorization-server"): Description(
        answers=_json(schemas.METADATA)
    ),
    ("GET", "/.well-known/jwks.json"): Description(answers=_json(schemas.KEY_SET)),
    ("POST", "/v1/audit/search"): Description(
        answers=_json(schemas.FOUND), body=NewSearch, problems=_NOWHERE
    ),
    ("POST", "/v1/audit/exports"): Description(
        answers={200: Answer({}, "application/zip")}, body=NewExport, problems=_NOWHERE
    ),
    ("POST", "/v1/audit/receipts"): Description(
        answers=_json(schemas.RECEIPT), body=NewReceipt, problems=_NOWHERE
    ),
    ("GET", "/v1/audit/checkpoint"): Description(
        answers={200: Answer(schemas.TEXT, TEXT)}, problems=_NOWHERE
    ),
    ("GET", "/v1/audit/entries/{index}"): Description(answers=_json(schemas.PROVEN)),
    ("GET", "/audit/tlog/{log}/checkpoint"): Description(answers={200: Answer(schemas.TEXT, TEXT)}),
    ("GET", "/audit/tlog/{log}/tile/entries/{place}"): Description(
        answers={200: Answer({}, BYTES)}
    ),
    ("GET", "/audit/tlog/{log}/tile/{level}/{place}"): Description(
        answers={200: Answer({}, BYTES)}
    ),
    ("GET", "/openapi.json"): Description(answers=_json(schemas.OBJECT)),
    ("GET", "/healthz"): Description(answers=_json(schemas.UP)),
    ("GET", "/readyz"): Description(
        answers={200: Answer(schemas.READY), 503: Answer(schemas.READY)}
    ),
    ("GET", "/metrics"): Description(
        answers={200: Answer(schemas.TEXT, TEXT)},
        problems=(problems.NOT_AUTHENTICATED, problems.NOT_AVAILABLE),
        security=({"monitoring": []},),
    ),
}
