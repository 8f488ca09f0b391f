"""What law keeps from a client for a time: two operators begin and end it, auditors see it all."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from audit.live import verify_log
from audit.verify import verify_bundle
from consent.belgian_time import start_of, time_of
from exchange.admin_socket import AdminSocket
from exchange.dual_control import HOLDS
from exchange.keeping import audit_export, clients_delay, clients_erase
from exchange.operations import OperationRefused
from exchange.services import SHARD
from tests.audit.bundles import members
from tests.builders import Broker, Story, logged
from tests.exchange.aside import aside
from tests.exchange.console import command_line

UNTIL = "2026-12-01"
FIRST, SECOND = "op-1", "op-2"


@pytest.fixture
def story(broker: Broker) -> Iterator[Story]:
    """A client whose summary was read once, before anybody asked for a delay."""
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    yield story
    with broker.services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=broker.services.keys, deep=True)
    assert report.findings == ()


def said(story: Story, operator: str, until: str | None = UNTIL, **changes: Any) -> bool:
    """One operator asks for a delay, or for the end of one; whether it is done."""
    asked = {"client": story.handle, "organisation": story.sample.holder, "until": until}
    asked |= {"reference": "order-7", "operator": operator} | changes
    (result,) = clients_delay(story.broker.services, asked)
    done: bool = result["done"]
    return done


def delayed(story: Story) -> None:
    assert not said(story, FIRST)
    assert said(story, SECOND)


def authority(broker: Broker) -> str:
    types = broker.services.directory().types
    return next(id for id, type in types.items() if type == "supervisory_authority")


def record(story: Story, by: str, place: Path) -> tuple[list[int], tuple[str, ...]]:
    """The client's record as it is exported: its entries, and what the verifier says of it."""
    broker = story.broker
    broker.services.checkpointing.once()
    asked = {
        "mode": "filtered",
        "client": story.handle,
        "organisation": f"org:{story.sample.holder}",
    }
    answer = broker.as_(by).post("/v1/audit/exports", json=asked)
    assert answer.status_code == 200, answer.text
    (place / "b").write_bytes(answer.content)
    contents = members(answer.content)
    report = verify_bundle(place / "b", contents["policy.txt"])
    assert (report.findings, report.exit_code) == ((), 0)
    shown = [json.loads(line) for line in BytesIO(contents["parts.jsonl"])]
    return [each["i"] for each in shown if each["l"] == "s"], report.notes


def mine(broker: Broker) -> list[int]:
    """The places of all entries about the client."""
    client = next(each for each in logged(broker.services) if each["k"] == "client.registered")
    return [
        each["index"] for each in logged(broker.services) if each.get("client") == client["client"]
    ]


def test_what_is_kept_back_is_shown_to_the_auditor_and_later_to_the_client(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    before = mine(broker)
    delayed(story)
    assert story.fetch().is_success
    assert story.withdraw().is_success
    holder, auditor = story.sample.holder, authority(broker)

    shown, notes = record(story, holder, tmp_path)
    assert shown == before
    assert any(f"without a gap: {len(before)} entries of 1" in each for each in notes)
    whole, _ = record(story, auditor, tmp_path)
    assert whole == mine(broker)[:-1]
    assert len(whole) > len(before) + 2

    broker.clock.move(time_of(start_of(date.fromisoformat(UNTIL))) - timedelta(microseconds=1))
    assert record(story, holder, tmp_path)[0] == before
    broker.clock.move(timedelta(microseconds=1))
    everything = mine(broker)
    shown, notes = record(story, holder, tmp_path)
    assert shown[: len(everything)] == everything
    assert any("of 1 person(s)" in each for each in notes)


def test_the_auditor_finds_what_is_kept_back(broker: Broker, story: Story) -> None:
    delayed(story)
    assert story.fetch().is_success

    asked = {"client": story.handle, "organisation": f"org:{story.sample.holder}"}
    found = broker.as_(authority(broker)).post(
        "/v1/audit/search", json=asked | {"kinds": ["summary.released"]}
    )

    assert len(found.json()["items"]) == 2
    assert logged(broker.services)[-1]["ser"] == "d"


def test_two_operators_begin_and_end_it_and_every_step_is_logged(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    before = mine(broker)
    assert not said(story, FIRST)
    with pytest.raises(OperationRefused, match="another operator"):
        said(story, FIRST)
    # Another order is another word.
    assert not said(story, SECOND, reference="order-8")
    assert not said(story, SECOND, until="2026-12-02")
    assert said(story, SECOND)
    assert story.fetch().is_success
    assert not said(story, SECOND, until=None)
    assert said(story, FIRST, until=None)

    steps = [each for each in logged(broker.services) if each["k"] == "admin.changed"]
    steps = [each for each in steps if each["e"]["what"].startswith("delay")]
    told = [(*(each["e"][name] for name in ("what", "act", "id")), each["user"]) for each in steps]
    assert told == [
        ("delay", "asked", "order-7/2026-12-01", FIRST),
        ("delay", "refused", "order-7/2026-12-01", FIRST),
        ("delay", "asked", "order-8/2026-12-01", SECOND),
        ("delay", "asked", "order-7/2026-12-02", SECOND),
        ("delay", "done", "order-7/2026-12-01", SECOND),
        ("delay.end", "asked", "order-7", SECOND),
        ("delay.end", "done", "order-7", FIRST),
    ]  # fmt: skip
    # No step stands in the client's own record, nor names them.
    assert [each for each in mine(broker) if each in {step["index"] for step in steps}] == []
    shown, _ = record(story, story.sample.holder, tmp_path)
    assert shown[: len(before) + 1] == mine(broker)[: len(before) + 1]
    assert logged(broker.services)[-1].get("ser") is None


def test_the_first_word_holds_for_a_day(broker: Broker, story: Story) -> None:
    assert not said(story, FIRST)
    broker.clock.move(HOLDS)

    assert not said(story, SECOND)
    broker.clock.move(HOLDS - timedelta(seconds=1))
    assert said(story, FIRST)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"until": "2026-11-02"}, "a day to come"),
        ({"until": "2027-11-05"}, "a year from now"),
        ({"until": "soon"}, "until is a day"),
        ({"until": None}, "nothing is kept"),
        ({"organisation": "vdab-wvl"}, "no such client"),
        ({"client": "x" * 26}, "no such client"),
        ({"reference": "Zwaantje Peeters"}, "reference"),
        ({"operator": "J. Peeters"}, "operator"),
    ],
)
def test_what_can_not_be_ordered_is_refused_and_leaves_the_record_alone(
    broker: Broker, story: Story, wrong: dict[str, Any], why: str
) -> None:
    before = mine(broker)

    for operator in (FIRST, SECOND):
        with pytest.raises(OperationRefused, match=why):
            said(story, **{"operator": operator} | wrong)

    assert mine(broker) == before


def test_a_client_whose_entries_are_kept_back_is_not_erased(broker: Broker, story: Story) -> None:
    delayed(story)
    asked = {"client": story.handle, "organisation": story.sample.holder}

    with pytest.raises(OperationRefused, match="until 2026-11-30"):
        list(clients_erase(broker.services, asked | {"basis": "gdpr-17-1-b", "request": "r-1"}))


def test_registers_are_told_that_it_is_kept_back_and_other_views_leave_it_out(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    delayed(story)
    assert story.fetch().is_success
    everything = len(mine(broker))

    def viewed(form: str) -> list[dict[str, Any]]:
        asked = {"client": story.handle, "organisation": story.sample.holder, "as": form}
        list(audit_export(broker.services, asked | {"out": str(tmp_path / form)}))
        return [json.loads(line) for line in (tmp_path / form).read_text("utf-8").splitlines()]

    bodies = viewed("auditregister")
    assert {each["meta"]["onderwerpInOnderzoek"] for each in bodies} == {True}
    assert len(bodies) == everything + 1
    assert len(viewed("fhir")) == everything - 1
    evidence = tmp_path / "evidence"
    list(audit_export(broker.services, {"handover": story.handover, "out": str(evidence)}))
    texts = [json.loads(each) for each in BytesIO(members(evidence.read_bytes())["parts.jsonl"])]
    assert '"ser"' not in str(texts)


def test_what_waits_for_the_second_operator_names_nobody(broker: Broker, story: Story) -> None:
    assert not said(story, FIRST)
    client = next(each for each in logged(broker.services) if each["k"] == "client.registered")

    with aside(broker.services) as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM first_word").all()

    assert client["client"] not in str(row)
    assert story.handle not in str(row)


def test_the_command_says_who_is_awaited(
    broker: Broker,
    story: Story,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = AdminSocket(broker.services)
    overdracht = command_line(broker.services.settings, monkeypatch, capsys)
    order = ("clients", "delay", story.handle, "--organisation", story.sample.holder)
    asked = (*order, "--reference", "order-7", "--operator")

    assert "Another operator" in overdracht(*asked, FIRST, "--until", UNTIL).words
    assert overdracht(*asked, SECOND, "--until", UNTIL, "--json").json == {"done": True}
    assert "Another operator" in overdracht(*asked, FIRST, "--end").words
    assert "all is shown" in overdracht(*asked, SECOND, "--end").words
    assert overdracht(*asked, SECOND, "--end", "--until", UNTIL).code == 2
    server.close()
