"""A6: a detainee wants to take a course (cl-0003); nobody may learn where he lives."""

from uuid import uuid4

from exchange.importing import Import
from exchange.samples import DATA
from tests.builders import Broker, query
from tests.cases.uniform import assert_uniform, reasons

MASKED = "begeleidingsdienst (afgeschermd)"
CANARIES = ("prison", "gevangenis", "justice", "brugge", "PR-2026-006", "+32", "detention")
GROUP = ("LW-1238", "LW-1067", "LW-1202", "LW-1221", "LW-1032", "LW-1166", "LW-1066", "LW-1020")
"""Who came to the group session of 25 November 2025 in the sample export."""


def test_the_receiver_sees_a_service_without_a_name(broker: Broker) -> None:
    story = broker.story("cl-0003", "cvo-west", "P4")
    school = broker.as_("cvo-west")

    listed = school.get("/v1/handovers")
    shown = school.get(f"/v1/handovers/{story.handover}")
    fetched = story.fetch()

    assert listed.json()["items"][0]["from"]["label"] == MASKED
    assert shown.json()["from"] == {"masked": True, "label": MASKED}
    assert fetched.status_code == 200
    for answer in (listed, shown, fetched):
        for canary in CANARIES:
            assert canary not in answer.text, canary


def test_the_origin_stays_masked_whatever_happens_to_the_handover(broker: Broker) -> None:
    story = broker.story("cl-0003", "cvo-west", "P4")
    story.fetch()
    story.answer("acceptance", appointment={"start": "2026-11-09T09:00:00Z"})
    story.withdraw()

    shown = broker.as_("cvo-west").get(f"/v1/handovers/{story.handover}")

    assert shown.json()["state"] == "revoked"
    for canary in CANARIES:
        assert canary not in shown.text, canary


def test_he_is_reached_through_the_service_only(broker: Broker) -> None:
    story = broker.story("cl-0003", "cvo-west", "P4")

    assert "contact" not in story.fetch().json()["summary"]
    assert_uniform(story.fetch(sections=["contact"]))
    assert_uniform(story.fetch(sections=["justice"]))


def test_a_search_by_vdab_finds_what_it_finds_of_anybody_unknown(broker: Broker) -> None:
    story = broker.story("cl-0003", "cvo-west", "P4")
    related = broker.related("prison-brugge-tb", story.handle, "vdab-wvl", "P2")
    vdab = broker.as_("vdab-wvl")

    assert_uniform(
        *(
            vdab.post("/v1/summaries/query", json=query(handover=each, purpose="P2"))
            for each in (related, story.handover, str(uuid4()))
        )
    )
    assert reasons(broker.services, "summary.refused") == [
        "NO_ACTIVE_PROTOCOL",
        "UNKNOWN_CLIENT",
        "UNKNOWN_CLIENT",
    ]


def test_a_group_session_is_imported_without_linking_those_who_came(broker: Broker) -> None:
    run = Import(broker.services, "registration-csv", "leerwinkel-wvl", dry_run=False)
    for _ in run.run(DATA / "leerwinkel"):
        pass
    holder = broker.as_("leerwinkel-wvl")

    for reference in GROUP:
        found = holder.post("/v1/clients", json={"reference": reference}).json()
        assert not found["created"]
        copy = holder.get(f"/v1/clients/{found['client']}/summary")
        assert copy.json()["sections"]["traj"]["sessions"]["value"] >= 1
        for other in (*GROUP, "G1-", "17:00", "2025-11-25T"):
            assert other not in copy.text
