"""What one decision costs: 63 rules, 20 agreements, and inputs that were seen before or not.

Time of the processor, so that what else a machine does is not counted; of several runs the best.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import cycle, islice, product
from statistics import quantiles

from exchange.samples import directory_documents
from policies.agreements import Agreement, any_in_force, flows_between, read_agreement
from policies.decision import Facts, FlowFacts, GrantFacts, RecipientFacts, ReleaseRequest
from policies.gates import Decider
from policies.grants import read_grant
from policies.purposes import purpose_list
from policies.site_rules import HARD_RULES, Overlay, load_overlay
from policies.vocabulary import AgreementId, Operation, OrganisationId, OrganisationType, Section

RULES, AGREEMENTS = 63, 20
SEEN, UNSEEN, AGAIN, RUNS = 256, 500, 5000, 5
SEEN_US, UNSEEN_US = 100, 3000
_DAY = date(2026, 11, 2)
_HOLDER, _RECIPIENT = OrganisationId("leerwinkel-wvl"), OrganisationId("vdab-wvl")

Asked = tuple[ReleaseRequest, RecipientFacts]


@dataclass(frozen=True, slots=True)
class Cost:
    """µs of one decision."""

    p50: float
    p99: float


def rows() -> Iterator[tuple[str, dict[str, float], str, None, str, bool]]:
    """The two rows, as the table and the document of `overdracht bench` have them."""
    agreements = agreements_in_force()
    for what, cost, most in (
        ("seen", seen(rules(), agreements), SEEN_US),
        ("unseen", unseen(rules(), agreements), UNSEEN_US),
    ):
        figures = {"p50_us": cost.p50, "p99_us": cost.p99}
        figures |= {"p50_ms": round(cost.p50 / 1000, 4), "p99_ms": round(cost.p99 / 1000, 4)}
        name = f"decision {what}: p50 {cost.p50:g} µs, p99 {cost.p99:g} µs"
        yield name, figures, "", None, f"p99 <= {most} µs", cost.p99 <= most


def seen(overlay: Overlay, agreements: Sequence[Agreement]) -> Cost:
    """Decisions on inputs that came before: the facts are put together anew each time."""
    decider = Decider(overlay)
    grant, some = _grant(), list(islice(_questions(), SEEN))
    known = {each[0].purpose: _flows(agreements, each[0].purpose) for each in some}

    def decide(asked: Asked) -> None:
        request, recipient = asked
        decider.decide(request, _facts(recipient, known[request.purpose], grant))

    for each in some:
        decide(each)
    return _best(decide, lambda: islice(cycle(some), AGAIN))


def unseen(overlay: Overlay, agreements: Sequence[Agreement]) -> Cost:
    """Decisions on inputs that nobody came with before: agreements, rules and gates are asked."""
    decider, grant, coming = Decider(overlay), _grant(), _questions()

    def decide(asked: Asked) -> None:
        request, recipient = asked
        flows = _flows(agreements, request.purpose)
        any_in_force(agreements, recipient=_RECIPIENT, purpose=request.purpose, on=_DAY)
        decider.decide(request, _facts(recipient, flows, grant))

    return _best(decide, lambda: islice(coming, UNSEEN))


def rules() -> Overlay:
    """The hard rules and as many of an installation's own as make 63."""
    purposes, kinds = list(purpose_list().purposes), list(OrganisationType)
    own = "".join(
        f'@id("SITE_{n}") forbid (principal == Recipient::"{kinds[n % len(kinds)]}",'
        f' action == Action::"release", resource == Section::"{sections[n % len(sections)]}")'
        f' when {{ context.purpose == "{purposes[n % len(purposes)]}" }};\n'
        for sections in [list(Section)]
        for n in range(RULES - len(HARD_RULES))
    )
    return load_overlay(site={"bench.cedar": own})


def agreements_in_force() -> list[Agreement]:
    """Twenty agreements: the sample one between holder and recipient, under as many names."""
    document = directory_documents()["agreement"]["PR-2026-001"]
    agreement = read_agreement(document)
    return [replace(agreement, id=AgreementId(f"B-{n:03d}")) for n in range(AGREEMENTS)]


def _questions() -> Iterator[Asked]:
    """No two alike: every purpose and kind of recipient, with every fact that rules look at."""
    flags = product((True, False), repeat=4)
    for values, kind, purpose in product(flags, OrganisationType, purpose_list().purposes):
        accredited, in_eea, authorised, secrecy = values
        recipient = RecipientFacts(kind, accredited, in_eea, authorised, secrecy)
        yield ReleaseRequest(_RECIPIENT, purpose), recipient


def _flows(agreements: Sequence[Agreement], purpose: str) -> tuple[FlowFacts, ...]:
    return flows_between(agreements, holder=_HOLDER, recipient=_RECIPIENT, purpose=purpose, on=_DAY)


def _grant() -> GrantFacts:
    given, named = read_grant(sections=("ident", "educ", "work", "goals"), include=())
    return GrantFacts(given, named, (), frozenset({Operation.VIEW}), None, secrecy_release=False)


def _facts(recipient: RecipientFacts, flows: tuple[FlowFacts, ...], grant: GrantFacts) -> Facts:
    return Facts(
        recipient=recipient,
        holder_secrecy=False,
        known=True,
        blocked=False,
        care_relation=True,
        any_agreement=True,
        flows=flows,
        grants=(grant,),
    )


def _best(decide: Callable[[Asked], None], asked: Callable[[], Iterator[Asked]]) -> Cost:
    costs = []
    for _ in range(RUNS):
        times = []
        for each in asked():
            began = time.thread_time_ns()
            decide(each)
            times.append((time.thread_time_ns() - began) / 1000)
        cuts = quantiles(times, n=100)
        costs.append(Cost(round(cuts[49], 1), round(cuts[98], 1)))
    return min(costs, key=lambda each: each.p99)
