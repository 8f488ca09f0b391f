"""A8: what a counsellor wrote about other people stays where it was written."""

import csv
import json
from collections import Counter
from typing import Any

import pytest

from exchange.importing import Import, Report
from exchange.samples import DATA, samples
from policies.vocabulary import Section
from tests.builders import Broker, logged

EXPORT = DATA / "leerwinkel"
ABOUT_A_SISTER = "bellen met zus Fatima Haddad 0450 00 99 01"
EDITED = "contactpersoon (familie) belt terug"
FREE = {
    "clienten": "notities",
    "sessies": "verslag",
    "contacten": "inhoud",
    "uitstroom": "opmerking",
}


def test_the_columns_in_free_text_are_dropped_and_counted(broker: Broker) -> None:
    written = notes()

    report = imported(broker)

    counted = Counter(table for table, _, _ in written)
    assert {f"{table}.{FREE[table]}": n for table, n in counted.items()} == {
        name: report.dropped[name] for name in (f"{table}.{FREE[table]}" for table in FREE)
    }
    (closed,) = [each for each in logged(broker.services) if each["k"] == "intake.imported"]
    assert closed["e"]["drop"] == sum(report.dropped.values())


def test_nothing_of_what_was_written_there_is_kept_in_report_copy_or_log(broker: Broker) -> None:
    written = notes()

    report = imported(broker)

    whole_log = json.dumps(logged(broker.services), ensure_ascii=False)
    told = json.dumps(report.document(), ensure_ascii=False)
    assert [text for _, _, text in written if text in whole_log or text in told] == []
    holder = broker.as_("leerwinkel-wvl")
    for reference, texts in by_client(written)[:40]:
        handle = holder.post("/v1/clients", json={"reference": reference}).json()["client"]
        copy = holder.get(f"/v1/clients/{handle}/summary").text
        assert [text for text in texts if text in copy] == []


def test_an_agreement_that_names_a_sister_is_quarantined_and_passes_once_edited(
    broker: Broker,
) -> None:
    handle = broker.registered(samples()["cl-0002"])

    stopped = deposited(broker, handle, ABOUT_A_SISTER)
    after_stop = actions(broker, handle)
    edited = deposited(broker, handle, EDITED)

    assert stopped["quarantined"] == ["agree.actions.text"]
    assert [each.get("text") for each in after_stop] == [None]
    assert edited["quarantined"] == []
    assert [each["text"] for each in actions(broker, handle)] == [EDITED]


def test_of_what_was_quarantined_the_log_holds_the_rules_and_no_text(broker: Broker) -> None:
    handle = broker.registered(samples()["cl-0002"])

    deposited(broker, handle, ABOUT_A_SISTER)

    *_, entry = [each for each in logged(broker.services) if each["k"] == "summary.deposited"]
    assert entry["quarantined"] == 1
    assert entry["rules"]
    assert all(rule.isupper() or rule.replace("_", "").isalnum() for rule in entry["rules"])
    told = json.dumps(logged(broker.services), ensure_ascii=False)
    for word in ("Fatima", "zus ", "0450", "99 01"):
        assert word not in told


@pytest.mark.parametrize("text", [ABOUT_A_SISTER, f"{EDITED} op 0450 00 99 01"])
def test_what_is_quarantined_reaches_no_partner(broker: Broker, text: str) -> None:
    story = broker.story("cl-0002", "leerwinkel-wvl", "P1")

    deposited(broker, story.handle, text)

    answer = story.fetch()
    assert answer.status_code == 200
    assert Section.AGREE in answer.json()["released"]
    assert "0450 00 99 01" not in answer.text
    assert "Fatima" not in answer.text


def imported(broker: Broker) -> Report:
    run = Import(broker.services, "registration-csv", "leerwinkel-wvl", dry_run=False)
    for _ in run.run(EXPORT):
        pass
    assert run.report.stored > 200
    return run.report


def notes() -> list[tuple[str, str, str]]:
    """Table, client and text of everything in the columns of free text."""
    found: list[tuple[str, str, str]] = []
    for table, column in FREE.items():
        path = EXPORT / f"{table}.csv"
        with path.open(encoding="cp1252", errors="replace", newline="") as rows:
            found += [
                (table, row["client_nr"].strip(), row[column])
                for row in csv.DictReader(rows, delimiter=";")
                if row[column] and None not in row.values() and None not in row
            ]
    assert {table for table, _, _ in found} == set(FREE)
    return found


def by_client(written: list[tuple[str, str, str]]) -> list[tuple[str, list[str]]]:
    clients = sorted({client for _, client, _ in written})
    return [(each, [text for _, client, text in written if client == each]) for each in clients]


def deposited(broker: Broker, handle: str, text: str) -> dict[str, Any]:
    action = {"what": "call_back", "text": text, "who": "recipient", "status": "open"}
    answer = broker.as_("agii-wvl").put(
        f"/v1/clients/{handle}/summary", json={"sections": {"agree": {"actions": [action]}}}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def actions(broker: Broker, handle: str) -> list[dict[str, Any]]:
    copy = broker.as_("agii-wvl").get(f"/v1/clients/{handle}/summary").json()
    found: list[dict[str, Any]] = copy["sections"]["agree"]["actions"]["value"]
    return found
