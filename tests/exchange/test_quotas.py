"""So many a minute, and who can not be counted is not let in."""

import pytest

from exchange.quotas import Buckets, Limits, Quotas
from exchange.settings import Settings


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def taken(buckets: Buckets, name: str, times: int, a_minute: int = 6) -> int:
    return sum(buckets.take(name, a_minute) for _ in range(times))


def test_a_minutes_worth_may_come_at_once_and_then_as_fast_as_it_refills(seconds: Seconds) -> None:
    buckets = Buckets(seconds)

    at_once = taken(buckets, "a", 10)
    seconds.now += 9
    too_soon = taken(buckets, "a", 10)
    seconds.now += 1
    in_time = taken(buckets, "a", 10)
    seconds.now += 3_600

    assert (at_once, too_soon, in_time) == (6, 0, 1)
    assert taken(buckets, "a", 10) == 6


def test_each_name_has_its_own_and_without_a_bound_there_is_always_more(seconds: Seconds) -> None:
    buckets = Buckets(seconds)

    assert (taken(buckets, "a", 10), taken(buckets, "b", 10)) == (6, 6)
    assert taken(buckets, "c", 1_000, a_minute=0) == 1_000


def test_a_look_takes_nothing(seconds: Seconds) -> None:
    buckets = Buckets(seconds)

    looks = [buckets.take("a", 1, look=True) for _ in range(3)]

    assert looks == [True] * 3
    assert (buckets.take("a", 1), buckets.take("a", 1, look=True)) == (True, False)


def test_who_can_not_be_counted_is_refused_until_others_have_rested(seconds: Seconds) -> None:
    buckets = Buckets(seconds, most=2)
    first = [buckets.take(name, 6) for name in "abc"]
    seconds.now += 5

    assert first == [True, True, False]
    assert not buckets.take("c", 6)
    seconds.now += 5
    assert buckets.take("c", 6)


def test_asking_for_as_much_again_is_a_burst_and_is_said_once_a_minute(seconds: Seconds) -> None:
    quotas = Quotas(Limits(requests=3, requests_of={"employer": 1}), seconds)
    let = [quotas.request("o", "type") for _ in range(4)]
    bursts = [quotas.burst("app", "type") for _ in range(6)]
    seconds.now += 59
    for _ in range(3):
        quotas.burst("app", "type")

    assert let == [True, True, True, False]
    assert bursts == [False, False, False, True, False, False]
    assert [quotas.request("e", "employer") for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("addresses", "senders"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:DB8:1:2::1"], 1),
        (["2001:db8:1:2::1", "2001:db8:1:3::1"], 2),
        (["192.0.2.1", "192.0.2.2"], 2),
        (["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "64:ff9b::192.0.2.1"], 1),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2"], 2),
        (["64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2"], 2),
        (["::1", "127.0.0.1", ""], 3),
    ],
)
def test_who_fails_is_counted_by_address_or_in_ipv6_by_network(
    seconds: Seconds, addresses: list[str], senders: int
) -> None:
    quotas = Quotas(Limits(failures=1), seconds)
    heard = 0
    for each in addresses:
        heard += quotas.may_try(each)
        quotas.failed(each)

    assert heard == senders


def test_production_has_quotas_and_the_demonstration_those_that_are_set() -> None:
    production = Settings(profile="production", tokens_a_minute=7)
    limits = production.limits

    assert (limits.requests, limits.tokens, limits.failures) == (3_000, 7, 60)
    assert Settings().limits == Limits()
