"""What each address takes and answers, beside what its declaration already tells.

`exchange.api.openapi` makes the contract of it; an address without a row fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from consent.forms import record_schema, renewal_schema
from consent.views import VIEWS
from exchange import problems
from exchange.api import answer_schemas as schemas
from exchange.api import explanation_schemas as explanations
from exchange.api import shapes
from exchange.api.audit import NewExport, NewReceipt, NewSearch
from exchange.api.bases import ClaimedBasis, ObjectionAnswer
from exchange.api.clients import NewClient, NewDisclosure, NewFlags
from exchange.api.consent_changes import (
    NewInvalidation,
    NewResumption,
    NewRevocationByOther,
    NewSuspension,
)
from exchange.api.consent_requests import SEEN, NewAnswer, NewRequest
from exchange.api.consents import NewWithdrawal
from exchange.api.credentials import ASSERTION_TYPE
from exchange.api.deposit_schema import deposit_schema
from exchange.api.evaluations import NewEvaluation, NewEvaluations
from exchange.api.exclusions import NewExclusion
from exchange.api.handovers import (
    Acceptance,
    Acknowledgement,
    Closure,
    FirstContact,
    NewHandover,
    NewRefusal,
    NewRevocation,
)
from exchange.api.proofs import Said
from exchange.api.recalls import NewCertificate
from exchange.api.shapes import Schema
from exchange.api.simulations import NewSimulation
from exchange.api.summaries import Query
from exchange.api.withdrawals import NewStop
from exchange.problems import Problem
from exchange.recalls import RecallState
from policies.agreement_forms import FORMS
from policies.explaining import Audience
from policies.vocabulary import HandoverState, Reason

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TEXT, BYTES, HTML = "text/plain", "application/octet-stream", "text/html"
JWT, JOSE, JSON_LD = "application/jwt", "application/jose", "application/ld+json"
FHIR = "application/fhir+json"
PAGES = ("application/pdf", "image/png", "image/jpeg")


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which an address says yes: its body, of which type, and its own headers.

    An empty schema is bytes that no schema is for; with none there is no body. `others` are
    types that it can be had in as well.
    """

    schema: Schema | None
    kind: str = JSON
    headers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`problems`: what may come beside that which any address of its declaration may answer.

    `kinds` are the types that a body comes in; where it is bytes, its schema is empty.
    """

    answers: Mapping[int, Answer]
    body: type[BaseModel] | Schema | None = None
    kinds: tuple[str, ...] = (JSON,)
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


def _change(answer: Schema, body: type[BaseModel] | Schema) -> Description:
    """A change of a consent, at the version that `If-Match` names where one is named."""
    return Description(
        answers={200: Answer(answer, headers=_VERSION)},
        body=body,
        parameters=(_IF_MATCH,),
        problems=(
            problems.REFUSALS[Reason.STALE_VERSION],
            problems.REFUSALS[Reason.ALREADY_WITHDRAWN],
        ),
    )


_IF_MATCH = _parameter("If-Match", "header", {"type": "string", "maxLength": 40})
_LANGUAGE = _parameter("Accept-Language", "header", shapes.TEXT)
_CURSOR = (
    _parameter("cursor", "query", {"type": "string", "maxLength": 200}),
    _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 200}),
)
_BOX = _parameter("box", "query", shapes.word("inbox", "outbox"))
_PAGE = Answer({}, HTML)
_KEPT = {304: Answer(None)}
_AGREEMENTS = Description(
    answers={200: Answer(schemas.AGREEMENTS, headers=("ETag",), others=(HTML,)), **_KEPT}
)
_AGREEMENT = Description(
    answers={200: Answer(schemas.AGREEMENT, headers=("ETag",), others=(HTML, PAGES[0])), **_KEPT}
)
_VIEWED = {200: replace(_AGREEMENT.answers[200], others=(HTML, PAGES[0], JSON_LD)), **_KEPT}
_AS = (_parameter("as", "query", shapes.word(*FORMS)),)
_AGREEMENT_NOW = replace(
    _AGREEMENT, answers=_VIEWED, parameters=_AS, problems=(problems.INVALID_CONTENT,)
)
_PROTOCOL = Description(answers={200: Answer({}, PAGES[0], headers=("ETag",)), **_KEPT})
_STEPS = {200: _PAGE, 422: _PAGE, 429: _PAGE, 503: _PAGE}
_VERSION = ("ETag",)
_NUMBER = ("X-Request-ID",)
_REFUSED = (
    problems.NO_AGREEMENT,
    problems.NOT_ACCREDITED,
    problems.PURPOSE_UNKNOWN,
    problems.PURPOSE_PROHIBITED,
    problems.NO_IDENTIFIER,
    problems.NOT_AVAILABLE,
)
_ASSERTION: Mapping[str, Schema] = {
    "client_assertion_type": {"const": ASSERTION_TYPE},
    "client_assertion": shapes.SAID,
    "client_id": shapes.SAID,
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
                "Idempotency-Key", "header", shapes.text(r"^[\x21-\x7e]{8,200}$"), needed=True
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
            _BOX,
            _parameter("state", "query", shapes.word(*HandoverState)),
            *_CURSOR,
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
        parameters=(_IF_MATCH,),
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
    ("POST", "/v1/clients/{client}/consents/preview"): Description(
        answers=_json(schemas.PREVIEWED), body=record_schema()
    ),
    ("POST", "/v1/clients/{client}/exclusions"): Description(
        answers=_json(schemas.KEPT_OUT), body=NewExclusion
    ),
    ("GET", "/v1/consents/due"): Description(
        answers=_json(schemas.DUE),
        parameters=(_parameter("which", "query", shapes.word("ending", "held")), *_CURSOR),
        problems=(*_NOWHERE, problems.INVALID_CONTENT),
    ),
    ("POST", "/v1/consents/{consent}/renewal"): _change(schemas.RENEWED, renewal_schema()),
    ("POST", "/v1/consents/{consent}/invalidation"): _change(schemas.STANDS, NewInvalidation),
    ("POST", "/v1/consents/{consent}/revocation"): _change(schemas.STANDS, NewRevocationByOther),
    ("POST", "/v1/consents/{consent}/suspension"): _change(schemas.STANDS, NewSuspension),
    ("POST", "/v1/consents/{consent}/resumption"): _change(schemas.STANDS, NewResumption),
    ("POST", "/v1/simulations"): Description(
        answers=_json(schemas.SIMULATED), body=NewSimulation, problems=_NOWHERE
    ),
    ("POST", "/v1/withdrawals"): Description(
        answers=_json(schemas.STOPPED),
        body=NewStop,
        kinds=(JSON, FORM),
        problems=(problems.TOO_MANY,),
    ),
    ("GET", "/v1/recalls"): Description(
        answers=_json(schemas.RECALLS),
        parameters=(_BOX, _parameter("state", "query", shapes.word(*RecallState)), *_CURSOR),
        problems=(*_NOWHERE, problems.INVALID_CONTENT),
    ),
    ("POST", "/v1/recalls/{recall}/certificate"): Description(
        answers=_json(schemas.CERTIFIED),
        body=NewCertificate,
        problems=(problems.REFUSALS[Reason.RECALL_ANSWERED],),
    ),
    ("GET", "/v1/clients/{client}/recalls"): Description(answers=_json(schemas.RECALLS_OF_CLIENT)),
    ("GET", "/stop"): Description(answers={200: _PAGE}),
    ("GET", "/stop/{language}"): Description(answers={200: _PAGE}),
    ("POST", "/stop/{language}"): Description(answers=_STEPS, body=NewStop, kinds=(FORM,)),
    ("GET", "/agreements"): _AGREEMENTS,
    ("HEAD", "/agreements"): _AGREEMENTS,
    ("GET", "/agreements/{agreement}"): _AGREEMENT_NOW,
    ("HEAD", "/agreements/{agreement}"): _AGREEMENT_NOW,
    ("GET", "/agreements/{agreement}/versions/{version}"): _AGREEMENT,
    ("HEAD", "/agreements/{agreement}/versions/{version}"): _AGREEMENT,
    ("GET", "/agreements/{agreement}/versions/{version}/pdf"): _PROTOCOL,
    ("HEAD", "/agreements/{agreement}/versions/{version}/pdf"): _PROTOCOL,
    ("GET", "/v1/consents/{consent}/receipt"): Description(
        answers={200: Answer({}, JWT, others=(JOSE, HTML))}
    ),
    ("GET", "/v1/consents/{consent}/record"): Description(
        answers={200: Answer(shapes.OBJECT, JSON_LD, others=(JSON, FHIR, JWT, JOSE))},
        parameters=(_parameter("as", "query", shapes.word(*VIEWS)),),
        problems=(problems.INVALID_CONTENT,),
    ),
    ("POST", "/v1/consents/{consent}/confirmation"): Description(
        answers=_json(schemas.CONFIRMED), body=Said
    ),
    ("PUT", "/v1/consents/{consent}/evidence"): Description(
        answers={204: Answer(None)}, body={}, kinds=PAGES
    ),
    ("GET", "/v1/consents/{consent}/evidence"): Description(
        answers={200: Answer({}, PAGES[0], others=PAGES[1:])}
    ),
    ("POST", "/v1/consent-requests"): Description(
        answers=_json(schemas.ASKED, 201),
        body=NewRequest,
        problems=(*_REFUSED, problems.REFUSALS[Reason.RATE_LIMITED]),
    ),
    ("GET", "/v1/consent-requests"): Description(
        answers=_json(schemas.QUESTIONS),
        parameters=(
            _BOX,
            _parameter("state", "query", shapes.word(*sorted(frozenset().union(*SEEN.values())))),
            *_CURSOR,
        ),
        problems=(*_NOWHERE, problems.INVALID_CONTENT),
    ),
    ("POST", "/v1/consent-requests/{request}/answer"): Description(
        answers=_json(schemas.ANSWERED),
        body=NewAnswer,
        problems=(problems.REFUSALS[Reason.REQUEST_NOT_OPEN],),
    ),
    ("POST", "/oauth/token"): Description(
        answers=_json(schemas.TOKEN),
        body=shapes.whole(
            ("client_id", "scope", "resource"),
            grant_type={"const": "client_credentials"},
            scope=shapes.SAID,
            resource=shapes.SAID,
            **_ASSERTION,
        ),
        kinds=(FORM,),
        parameters=(_parameter("DPoP", "header", shapes.TEXT),),
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
        body=shapes.whole(
            ("client_id", "token_type_hint"),
            token=shapes.SAID,
            token_type_hint=shapes.SAID,
            **_ASSERTION,
        ),
        kinds=(FORM,),
        problems=(*_OAUTH, problems.TOO_MANY),
    ),
    ("GET", "/.well-known/oauth-authorization-server"): Description(
        answers=_json(schemas.METADATA)
    ),
    ("GET", "/.well-known/jwks.json"): Description(answers=_json(schemas.KEY_SET)),
    ("GET", "/.well-known/consent-receipt-keys.json"): Description(answers=_json(schemas.KEY_SET)),
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
        answers={200: Answer(shapes.TEXT, TEXT)}, problems=_NOWHERE
    ),
    ("GET", "/v1/audit/entries/{index}"): Description(answers=_json(schemas.PROVEN)),
    ("GET", "/v1/audit/entries/{index}/explanation"): Description(
        answers=_json(explanations.EXPLAINED),
        parameters=(_parameter("as", "query", shapes.word(*Audience)), _LANGUAGE),
        problems=(problems.INVALID_CONTENT,),
    ),
    ("POST", "/access/v1/evaluation"): Description(
        answers={200: Answer(explanations.EVALUATION, headers=_NUMBER)},
        body=NewEvaluation,
        parameters=(_LANGUAGE,),
        problems=_NOWHERE,
    ),
    ("POST", "/access/v1/evaluations"): Description(
        answers={200: Answer(explanations.EVALUATIONS, headers=_NUMBER)},
        body=NewEvaluations,
        parameters=(_LANGUAGE,),
        problems=_NOWHERE,
    ),
    ("GET", "/.well-known/authzen-configuration"): Description(
        answers=_json(explanations.DECISION_POINT)
    ),
    ("GET", "/audit/tlog/{log}/checkpoint"): Description(answers={200: Answer(shapes.TEXT, TEXT)}),
    ("GET", "/audit/tlog/{log}/tile/entries/{place}"): Description(
        answers={200: Answer({}, BYTES)}
    ),
    ("GET", "/audit/tlog/{log}/tile/{level}/{place}"): Description(
        answers={200: Answer({}, BYTES)}
    ),
    ("GET", "/openapi.json"): Description(answers=_json(shapes.OBJECT)),
    ("GET", "/healthz"): Description(answers=_json(schemas.UP)),
    ("GET", "/readyz"): Description(
        answers={200: Answer(schemas.READY), 503: Answer(schemas.READY)}
    ),
    ("GET", "/metrics"): Description(
        answers={200: Answer(shapes.TEXT, TEXT)},
        problems=(problems.NOT_AUTHENTICATED, problems.NOT_AVAILABLE),
        security=({"monitoring": []},),
    ),
}
