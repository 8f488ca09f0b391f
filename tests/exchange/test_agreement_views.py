"""What an agreement lets go is counted field by field, and told as sums that are about nobody."""

from typing import Any

import pytest

from exchange import field_tallies, volumes
from exchange.counted import keep_counted
from exchange.field_counting import UNTOLD, Counted
from exchange.samples import directory_documents
from exchange.services import SHARD
from exchange.serving import Upkeep
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from exchange.writer import Busy
from policies.proportionality import LEAST_RELEASES
from policies.vocabulary import Section
from tests.builders import Broker, Clock, Story
from tests.exchange.console import Overdracht, command_line

MONTH, YEAR = "2026-11", 2026
AGREEMENT = "PR-2026-004"


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0004", "vdab-gent", "P2")


def sums(broker: Broker, first: str = MONTH, last: str = MONTH) -> dict[str, tuple[int, ...]]:
    with broker.services.database.reading() as connection:
        found = field_tallies.sums(
            connection, shard=SHARD, agreement=AGREEMENT, first=first, last=last
        )
        return {each.field: tuple(each.times) for each in found}


def refusals(broker: Broker) -> dict[tuple[str, str, str], int]:
    with broker.services.database.reading() as connection:
        return field_tallies.refusals(connection, shard=SHARD, first=MONTH, last=MONTH)


def waiting(broker: Broker) -> Counted:
    """What is counted and not yet kept; it stays counted."""
    counted = broker.services.tally.fields.taken()
    broker.services.tally.fields.put_back(counted)
    return counted


def one_person_more(tx: Transaction) -> Outcome[None]:
    volumes.one_more(tx.connection, shard=tx.shard, scopes=[f"{AGREEMENT}/{YEAR}"])
    return Outcome(None)


def test_a_release_counts_what_was_asked_let_go_and_found(broker: Broker, story: Story) -> None:
    answer = story.fetch().json()
    keep_counted(broker.services)

    found = sums(broker)
    assert found.pop("*") == (1, 1, 0)
    held = {f"{section}.{name}" for section, names in answer["summary"].items() for name in names}
    assert {name for name, times in found.items() if times[2]} == held
    assert {name.partition(".")[0] for name, times in found.items() if times[1]} >= set(
        answer["released"]
    )
    assert all(opened <= released <= asked for asked, released, opened in found.values())
    assert any(not released for _, released, _ in found.values())


def test_only_what_was_asked_is_counted_as_asked(broker: Broker, story: Story) -> None:
    assert story.fetch(sections=["goals"]).status_code == 200
    keep_counted(broker.services)

    assert {name.partition(".")[0] for name in sums(broker)} == {"*", "goals"}


def test_sums_add_up_within_a_month_and_apart_from_the_next(
    broker: Broker, story: Story, clock: Clock
) -> None:
    story.answer("acceptance")
    for _ in range(2):
        story.fetch()
        keep_counted(broker.services)
    keep_counted(broker.services)
    clock.move(clock().replace(month=12))
    story.fetch()
    keep_counted(broker.services)

    assert sums(broker)["*"] == (2, 2, 0)
    assert sums(broker, "2026-12", "2026-12")["*"] == (1, 1, 0)
    assert sums(broker, "2026-01", "2026-12")["*"] == (3, 3, 0)


def test_refusals_are_counted_by_what_was_told_and_not_by_why(broker: Broker, story: Story) -> None:
    partner = broker.as_("vdab-gent")
    unknown = story.query() | {"client": "a" * 26}
    del unknown["handover"]
    assert partner.post("/v1/summaries/query", json=unknown).status_code == 404
    story.withdraw()
    assert story.fetch().status_code == 404
    assert story.fetch(purpose="P4").status_code == 403
    assert story.fetch(purpose="P92").status_code == 403
    keep_counted(broker.services)

    found = refusals(broker)
    assert found["vdab-gent", "P2", UNTOLD] == 2
    assert found["vdab-gent", "P4", "NO_ACTIVE_PROTOCOL"] == 1
    assert {purpose for _, purpose, _ in found} == {"P2", "P4"}
    assert sums(broker) == {}


def test_what_can_not_be_added_is_counted_on(broker: Broker, story: Story) -> None:
    story.fetch()
    story.fetch(purpose="P4")
    before = waiting(broker)
    broker.services.writer.close()

    with pytest.raises(Busy):
        keep_counted(broker.services)

    assert waiting(broker) == before
    assert before.by_field()


def test_an_orderly_end_keeps_what_was_counted(broker: Broker, story: Story) -> None:
    upkeep = Upkeep(broker.services)
    story.fetch()

    upkeep.close()

    assert sums(broker)["*"] == (1, 1, 0)


def test_every_section_of_a_purpose_is_asked_for_where_none_is_named(
    broker: Broker, story: Story
) -> None:
    story.fetch()

    ((_, asked, _),) = waiting(broker).releases
    assert {Section.IDENT, Section.NOTE} <= asked
    assert Section.JUSTICE not in asked


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


def test_the_report_of_a_year_tells_what_could_be_taken_out(
    broker: Broker, story: Story, overdracht: Overdracht
) -> None:
    for _ in range(LEAST_RELEASES):
        story.fetch()
    for _ in range(3):
        story.fetch(purpose="P2", sections=["justice"])
    keep_counted(broker.services)
    for _ in range(5):
        broker.services.writer.submit(one_person_more).result()
    broker.services.close()

    told = overdracht("agreements", "report", AGREEMENT, "--year", YEAR, "--json").json
    dutch = overdracht("agreements", "report", AGREEMENT, "--year", YEAR).words
    english = overdracht("agreements", "report", AGREEMENT, "--year", YEAR, "--lang", "en").words

    (use,) = [each for each in told["uses"] if each["purpose"] == "P2"]
    by_name = {each["field"]: each for each in use["fields"]}
    assert told["releases"] == LEAST_RELEASES
    assert told["persons"] == {
        "agreed": _document()["volume"]["persons_per_year"],
        "concerned": 5,
    }
    assert "Personen: 45 per jaar afgesproken, 5 betrokken." in dutch
    assert set(use["sufficient"]).isdisjoint(each["field"] for each in use["take_out"])
    assert by_name[use["sufficient"][0]]["opened"] == LEAST_RELEASES
    why = {each["field"]: each["why"] for each in use["take_out"]}
    assert set(why.values()) <= {"never_asked", "always_withheld", "never_opened"}
    assert why
    assert "Jaarverslag 2026 van PR-2026-004" in dutch
    assert "Het protocol is die dag: van kracht." in dutch
    assert "Kan uit het protocol:" in dutch
    assert "Could leave the agreement:" in english
    assert "refusals" in told


def _document() -> Any:
    return directory_documents()["agreement"][AGREEMENT]


def test_a_report_of_few_releases_tells_no_field(
    broker: Broker, story: Story, overdracht: Overdracht
) -> None:
    story.fetch()
    keep_counted(broker.services)
    broker.services.close()

    told = overdracht("agreements", "report", AGREEMENT, "--year", YEAR, "--json").json

    (use,) = told["uses"]
    assert (told["releases"], use["releases"], use["fields"]) == (None, None, [])
    assert (
        "too few"
        in overdracht("agreements", "report", AGREEMENT, "--year", YEAR, "--lang", "en").words
    )


def test_an_agreement_can_be_had_in_the_forms_of_others(overdracht: Overdracht) -> None:
    policy = overdracht("agreements", "export", AGREEMENT, "--as", "odrl").json
    told = overdracht("agreements", "export", AGREEMENT, "--as", "dpv").json

    assert policy["@type"] == "Agreement"
    assert told["@type"] == "dpv:LegalAgreement"
    assert policy["uid"].endswith(f"/agreements/{AGREEMENT}")
    assert overdracht("agreements", "export", "PR-1999-001", "--as", "dpv").code == 2
    assert overdracht("agreements", "report", "PR-1999-001").code == 2
    assert overdracht("agreements", "export", AGREEMENT, "--as", "xml").code == 2
