"""Fetches that race a withdrawal: by command, many threads at once, also from other processes.

Run as a module, it is the other process: each line on its input is a handover, which it
fetches until it is told `stop`; then it says how often it was given something, and how often
not.
"""

import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Any

from exchange.changing import Given
from exchange.considering import Rulebook
from exchange.flows.fetch_summary import Released, SummaryQuery, fetch_summary
from exchange.flows.give_consent import ConsentOrder, give_consent
from exchange.flows.push_handover import HandoverOrder, Offered, push_handover
from exchange.flows.withdraw_consent import Ended, Withdrawal, withdraw_consent
from exchange.samples import Sample
from exchange.security.tokens import Caller
from exchange.services import Services, build_services
from exchange.settings import read_settings
from exchange.transaction import Committed
from policies.vocabulary import ConsentId, Handle, HandoverId, OrganisationId
from tests.builders import Broker, Clock

PARTNER, PURPOSE = "vdab-gent", "P2"


@dataclass(frozen=True)
class Fetcher:
    """A partner that fetches by command."""

    services: Services
    caller: Caller
    rulebook: Rulebook

    def fetch(self, handover: str) -> Future[Committed[Released]]:
        query = SummaryQuery(
            purpose=PURPOSE,
            end_user="u-1",
            function="bemiddelaar",
            case_reference="z-1",
            handover=HandoverId(handover),
        )
        return self.services.writer.submit(fetch_summary, self.caller, query, self.rulebook)

    def gets_something(self, handover: str) -> bool:
        return isinstance(self.fetch(handover).result().value, Released)


def fetcher(services: Services, caller: Caller) -> Fetcher:
    return Fetcher(services, caller, services.rulebook)


@dataclass(frozen=True)
class Sharing:
    """One client who shares and stops sharing, again and again, under one lasting handover."""

    services: Services
    holder: Caller
    handle: Handle
    handover: str
    consent: Mapping[str, Any]

    def give(self) -> ConsentId:
        order = ConsentOrder(self.handle, self.consent)
        house = (self.services.receipts, self.services.rulebook)
        done = self.services.writer.submit(give_consent, self.holder, order, *house).result()
        assert isinstance(done.value, Given)
        return done.value.consent

    def push(self) -> Future[Committed[Offered]]:
        """Another handover, which is decided like a fetch."""
        order = HandoverOrder(
            client=self.handle,
            recipient=OrganisationId(PARTNER),
            purpose=PURPOSE,
            reason_code="other",
            urgency="normal",
            key=token_bytes(32),
            fingerprint=b"",
        )
        rulebook = self.services.rulebook
        return self.services.writer.submit(push_handover, self.holder, order, rulebook)

    def withdraw(self, consent: ConsentId) -> Future[Committed[Ended]]:
        order = Withdrawal(consent, "portal")
        return self.services.writer.submit(withdraw_consent, self.holder, order)


def sharing(broker: Broker, sample: Sample) -> Sharing:
    """The sample client at its holder, with a care relation that no withdrawal of hers ends."""
    handle = broker.registered(sample)
    (grant,) = sample.consent["grants"]
    lasting = {**grant, "purpose": "P6", "sections": ["agree"]}
    broker.given(replace(sample, consent={**sample.consent, "grants": [lasting]}), handle)
    handover = broker.related(sample.holder, handle, PARTNER, "P6")
    holder = broker.caller(sample.holder)
    return Sharing(broker.services, holder, Handle(handle), handover, sample.consent)


def _main() -> None:
    services = build_services(read_settings(), clock=Clock())
    application, organisation = sys.argv[1:]
    caller = Caller(application, organisation, frozenset({"query"}), "t-other")
    told = {True: 0, False: 0}
    for line in sys.stdin:
        stopped = threading.Event()
        thread = threading.Thread(
            target=_fetch_until, args=(stopped, fetcher(services, caller), line.strip(), told)
        )
        thread.start()
        sys.stdin.readline()
        stopped.set()
        thread.join()
        print(told[True], told[False], flush=True)  # noqa: T201 - this is its answer
    services.close()


def _fetch_until(
    stopped: threading.Event, partner: Fetcher, handover: str, told: dict[bool, int]
) -> None:
    said_so = False
    while not stopped.is_set() or not said_so:
        told[partner.gets_something(handover)] += 1
        if not said_so:
            said_so = True
            print("fetching", flush=True)  # noqa: T201 - the other side waits for it


if __name__ == "__main__":
    _main()
