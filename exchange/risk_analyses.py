"""What an operator does for risk analyses: have the form filled in, register one, list them.

One function a verb, as in `operations`: plain JSON in, one result out.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from exchange import directory
from exchange.agreement_book import books
from exchange.flows.register_risk_analysis import register_risk_analysis
from exchange.operations import Line, OperationRefused
from exchange.services import SHARD, Services
from policies.agreements import AgreementState, missing_risk_analysis
from policies.decision import Refused
from policies.documents import UnfitDocument
from policies.purposes import purpose
from policies.risk_analysis import RISK_ANALYSIS, read_risk_analysis
from policies.risk_template import risk_template, special_sections
from policies.yaml_files import line_at


def dpia_new(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """The form for `purpose`, filled in from the agreements and the models in force."""
    code = asked["purpose"]
    if purpose(code) is None:
        raise OperationRefused(f"{code} is no purpose; the list runs from P1 to P10")
    if not special_sections(code):
        raise OperationRefused(f"{code} uses nothing of a special category: it needs no analysis")
    known = services.directory()
    yield {"document": risk_template(code, known.agreements, known.names)}


def dpia_apply(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Register the complete analysis in `document`; `lines` say where its parts stand."""
    document = asked["document"]
    try:
        analysis = read_risk_analysis(document)
    except UnfitDocument as error:
        line = line_at(asked.get("lines") or {}, error.place)
        where = "" if line is None else f"line {line}: "
        raise OperationRefused(f"the analysis is not registered: {where}{error}") from None
    done = services.writer.submit(register_risk_analysis, document).result().value
    if isinstance(done, Refused):
        name = analysis.id
        raise OperationRefused(f"{name} is registered with another text; give it a new version")
    yield {"registered": done, "approved": analysis.approved, "waiting": _waiting(services)}


def dpia_list(services: Services, _asked: Mapping[str, Any]) -> Iterator[Line]:
    """Every registered analysis, and what waits for one."""
    with services.database.reading() as connection:
        kept = directory.documents(connection, shard=SHARD, kind=RISK_ANALYSIS)
    found = [read_risk_analysis(each) for each in kept.values()]
    yield {
        "analyses": [
            {
                "analysis": each.id,
                "sections": [*each.sections],
                "date": each.date.isoformat(),
                "residual_risk": each.residual_risk,
                "approved": each.approved,
            }
            for each in found
        ],
        "waiting": _waiting(services),
    }


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "dpia new": dpia_new,
    "dpia apply": dpia_apply,
    "dpia list": dpia_list,
}


def _waiting(services: Services) -> dict[str, list[str]]:
    """What each version that has not ended lacks before it can be in force, of analyses alone."""
    with services.database.reading() as connection:
        kept = [each for book in books(connection, shard=SHARD).values() for each in book.versions]
    return {
        each.name: [element for element, _ in missing]
        for each in kept
        if each.agreement.state is not AgreementState.ENDED
        and (missing := missing_risk_analysis(each.agreement))
    }
