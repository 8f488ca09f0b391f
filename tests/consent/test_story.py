"""Any story of giving, narrowing, withdrawing and renewing, against the simplest account of it."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from consent.content import denied_fields
from policies.decision import Refused
from policies.vocabulary import ConsentId, Reason
from tests.consent.builders import NOON, Desk, grant

BRUSSELS = ZoneInfo("Europe/Brussels")
SECTIONS = ("ident", "goals", "work")


@dataclass
class Account:
    """One consent, told by hand: which of its grants still stand, and since when."""

    agreed: datetime
    ends: datetime
    standing: dict[str, bool] = field(default_factory=dict)

    def ended(self, name: str, now: datetime) -> Reason | None:
        if not self.standing[name]:
            return Reason.CONSENT_WITHDRAWN
        if now >= two_years_after(self.agreed):
            return Reason.HARD_RULE_H9
        return Reason.CONSENT_EXPIRED if now >= self.ends else None


def two_years_after(at: datetime) -> datetime:
    local = at.astimezone(BRUSSELS)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return local.replace(year=local.year + 2, day=day)


def midnight_after(at: datetime, days: int) -> datetime:
    last = (at.astimezone(BRUSSELS) + timedelta(days=days)).date()
    return datetime.combine(last + timedelta(days=1), time(), BRUSSELS)


class Story(RuleBasedStateMachine):
    engine: ClassVar[Engine]

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.engine.connect()
        self.begun = self.opened.begin()
        self.desk = Desk(self.opened)
        self.now = NOON
        self.told: dict[ConsentId, Account] = {}
        self.denied: set[str] = set()

    consents = Bundle[ConsentId]("consents")

    def teardown(self) -> None:
        self.begun.rollback()
        self.opened.close()

    @rule(
        target=consents,
        many=st.integers(1, 3),
        lasts=st.integers(0, 900),
        denied=st.sets(st.sampled_from(SECTIONS), max_size=1),
    )
    def give(self, many: int, lasts: int, denied: set[str]) -> ConsentId:
        until = (self.now + timedelta(days=lasts)).date()
        grants = [grant(sections=[s], until=until.isoformat()) for s in SECTIONS[:many]]
        denials = [{"sections": [s], "recipient": "any"} for s in sorted(denied)]
        consent = self.desk.give(self.now, grants=grants, denials=denials)
        standing = {f"g{number + 1}": True for number in range(many)}
        self.told[consent] = Account(self.now, midnight_after(self.now, lasts), standing)
        self.denied |= denied
        return consent

    @rule(consent=consents, names=st.none() | st.sets(st.sampled_from(["g1", "g2", "g3"])))
    def withdraw(self, consent: ConsentId, names: set[str] | None) -> None:
        account = self.told[consent]
        answer = self.desk.withdraw(consent, self.now, grants=names and sorted(names))
        if names == set() or (names and not names <= account.standing.keys()):
            assert isinstance(answer, Refused)
            return
        asked = account.standing.keys() if names is None else names
        lost = {name for name in asked if account.standing[name]}
        assert (Refused(Reason.ALREADY_WITHDRAWN) == answer) == (not lost)
        if lost:
            assert set(answer.ended) == lost
            account.standing.update(dict.fromkeys(lost, False))
            assert answer.state == ("narrowed" if any(account.standing.values()) else "withdrawn")

    @rule(consent=consents, lasts=st.none() | st.integers(0, 900))
    def renew(self, consent: ConsentId, lasts: int | None) -> None:
        account = self.told[consent]
        more: dict[str, Any] = {}
        if lasts is not None:
            more = {"until": (self.now + timedelta(days=lasts)).date().isoformat()}
        answer = self.desk.renew(consent, self.now, **more)
        if not any(account.standing.values()):
            assert answer == Refused(Reason.ALREADY_WITHDRAWN)
        elif lasts is None and account.ends <= self.now:
            assert answer == Refused(Reason.CONTENT_REFUSED, details=("until",))
        else:
            assert answer.state == "renewed"
            account.agreed = self.now
            account.ends = account.ends if lasts is None else midnight_after(self.now, lasts)

    @rule(days=st.integers(1, 400))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def every_grant_is_what_the_account_says(self) -> None:
        facts = self.desk.facts(self.now)
        ended = {ref: each.ended for ref, each in zip(facts.refs, facts.grants, strict=True)}
        assert ended == {
            (consent, name): account.ended(name, self.now)
            for consent, account in self.told.items()
            for name in account.standing
        }

    @invariant()
    def no_denial_is_ever_forgotten(self) -> None:
        assert self.desk.facts(self.now).denied == denied_fields(tuple(sorted(self.denied)))


def test_any_story_ends_as_the_account_of_it(engine: Engine) -> None:
    class Here(Story):
        pass

    Here.engine = engine
    few = 30 if engine.dialect.name == "sqlite" else 10
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=few,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
