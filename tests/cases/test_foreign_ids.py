"""T41 and T44: what one organisation knows by an id does not exist for any other."""

from typing import Any

import pytest

from exchange.samples import samples
from tests.builders import REFERENCE, Broker, Story, query
from tests.cases.uniform import UNKNOWN_HANDLE, UNKNOWN_ID, assert_uniform, reasons, size

FOREIGN = "leerwinkel-wvl"
TOLD = {
    "recipient_kind": "school",
    "purpose": "P2",
    "sections": ["educ"],
    "via": "phone",
    "basis": "consent",
    "at": "2026-11-01T09:00:00+01:00",
}


def opened(broker: Broker) -> Story:
    return broker.story("cl-0004", "vdab-gent", "P2")


@pytest.mark.case("T41")
class TestT41ForeignIds:
    """`a` path, `b` body, `c` cursor, `d` idempotency key, `e` entity tag, `f` notice."""

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/v1/clients/{}/summary", None),
            ("PUT", "/v1/clients/{}/summary", {"sections": {"lang": {"contact_language": "nld"}}}),
            ("PUT", "/v1/clients/{}/flags", {"flags": ["restricted"]}),
            ("POST", "/v1/clients/{}/disclosures", TOLD),
            ("GET", "/v1/clients/{}/consents", None),
            ("POST", "/v1/clients/{}/consents", samples()["cl-0004"].consent),
        ],
        ids=[
            "a-get-summary",
            "a-put-summary",
            "a-put-flags",
            "a-post-disclosures",
            "a-get-consents",
            "a-post-consents",
        ],
    )
    def test_t41_a_client_in_a_path_is_nobodys_but_its_holders(
        self, broker: Broker, method: str, path: str, body: Any
    ) -> None:
        story = opened(broker)
        stranger = broker.as_(FOREIGN)

        before = size(broker.services)
        foreign = stranger.request(method, path.format(story.handle), json=body)
        unknown = stranger.request(method, path.format(UNKNOWN_HANDLE), json=body)

        assert_uniform(foreign, unknown)
        assert size(broker.services) == before + 2
        assert story.fetch().status_code == 200

    @pytest.mark.parametrize(
        ("method", "part", "body"),
        [
            ("GET", "summary", None),
            ("PUT", "summary", {"sections": {"lang": {"contact_language": "nld"}}}),
            ("PUT", "flags", {"flags": []}),
            ("POST", "disclosures", TOLD),
            ("GET", "consents", None),
            ("POST", "consents", samples()["cl-0004"].consent),
        ],
        ids=[
            "a-get-summary",
            "a-put-summary",
            "a-put-flags",
            "a-post-disclosures",
            "a-get-consents",
            "a-post-consents",
        ],
    )
    def test_t41_a_recipient_that_knows_the_client_gets_no_further_than_a_stranger(
        self, broker: Broker, method: str, part: str, body: Any
    ) -> None:
        opened(broker)
        partner = broker.as_("vdab-gent")
        (line,) = partner.get("/v1/handovers").json()["items"]
        received = line["subject"]["pairwise_id"]

        assert_uniform(
            *(
                partner.request(method, f"/v1/clients/{each}/{part}", json=body)
                for each in (received, UNKNOWN_HANDLE)
            )
        )

    @pytest.mark.parametrize(
        ("step", "body"),
        [
            ("acceptance", {}),
            ("refusal", {"reason_code": "other"}),
            ("first-contact", {}),
            ("closure", {}),
            ("revocation", {}),
            ("acknowledgement", {"ack_of": UNKNOWN_ID}),
        ],
        ids=lambda each: f"a-{each}" if isinstance(each, str) else "",
    )
    def test_t41_a_handover_in_a_path_is_moved_by_nobody_else(
        self, broker: Broker, step: str, body: Any
    ) -> None:
        story = opened(broker)
        stranger = broker.as_(FOREIGN)

        foreign = stranger.post(f"/v1/handovers/{story.handover}/{step}", json=body)
        unknown = stranger.post(f"/v1/handovers/{UNKNOWN_ID}/{step}", json=body)

        assert_uniform(foreign, unknown)
        shown = broker.as_("destap-ww").get(f"/v1/handovers/{story.handover}").json()
        assert shown["state"] == "offered"
        assert len(shown["events"]) == 1

    def test_t41_a_handover_and_a_consent_in_a_path_are_shown_to_nobody_else(
        self, broker: Broker
    ) -> None:
        story = opened(broker)
        stranger = broker.as_(FOREIGN)

        assert_uniform(
            stranger.get(f"/v1/handovers/{story.handover}"),
            stranger.get(f"/v1/handovers/{UNKNOWN_ID}"),
            stranger.get(f"/v1/consents/{story.consent}/receipt"),
            stranger.get("/v1/consents/c-0000/receipt"),
            stranger.get(f"/v1/consents/{story.consent}/record"),
            stranger.get("/v1/consents/c-0000/record"),
            stranger.post(f"/v1/consents/{story.consent}/withdrawal", json={"via": "sms_link"}),
            stranger.post("/v1/consents/c-0000/withdrawal", json={"via": "sms_link"}),
        )
        assert story.fetch().status_code == 200

    def test_t41_b_a_handle_in_a_body_is_nobodys_but_its_owners(self, broker: Broker) -> None:
        story = opened(broker)
        partner = broker.as_("vdab-wvl")

        assert_uniform(
            *(
                partner.post("/v1/summaries/query", json=query(purpose="P2", **meant))
                for meant in (
                    {"client": story.handle},
                    {"handover": story.handover},
                    {"client": UNKNOWN_HANDLE},
                    {"handover": UNKNOWN_ID},
                )
            ),
            broker.pushed(FOREIGN, story.handle, "vdab-gent", "P2"),
            broker.pushed(FOREIGN, UNKNOWN_HANDLE, "vdab-gent", "P2"),
        )
        assert reasons(broker.services, "handover.refused") == ["NOT_THE_HOLDER"] * 2
        assert reasons(broker.services, "summary.refused") == ["UNKNOWN_CLIENT"] * 4

    def test_t41_c_a_cursor_leads_nobody_else_anywhere(self, broker: Broker) -> None:
        story = opened(broker)
        broker.pushed("destap-ww", story.handle, "vdab-gent", "P2")
        mine = broker.as_("destap-ww").get("/v1/handovers?box=outbox&limit=1").json()["next"]
        stranger = broker.as_(FOREIGN)

        assert_uniform(
            stranger.get("/v1/handovers", params={"box": "outbox", "cursor": mine}),
            stranger.get("/v1/handovers", params={"box": "outbox", "cursor": "bm9uZQ=="}),
            broker.as_("destap-ww").get("/v1/handovers", params={"box": "inbox", "cursor": mine}),
        )

    def test_t41_d_an_idempotency_key_opens_nobody_elses_answer(self, broker: Broker) -> None:
        sample = samples()["cl-0004"]
        handle = broker.registered(sample)
        broker.given(sample, handle)
        body = {
            "client": handle,
            "recipient": "org:vdab-gent",
            "purpose": "P2",
            "reason_code": "work_guidance",
        }
        key = {"Idempotency-Key": "key-of-de-stap"}
        first = broker.as_("destap-ww").post("/v1/handovers", json=body, headers=key)
        assert first.status_code == 201

        stranger = broker.as_(FOREIGN)
        again = stranger.post("/v1/handovers", json=body, headers=key)
        never = stranger.post(
            "/v1/handovers", json=body, headers={"Idempotency-Key": "key-never-used"}
        )

        assert_uniform(again, never)

    @pytest.mark.parametrize("tag", ['"1"', '"0"', '"7"', "*", '"none-of-ours"'])
    def test_t41_e_an_entity_tag_of_somebody_elses_client_tells_nothing(
        self, broker: Broker, tag: str
    ) -> None:
        story = opened(broker)
        stranger = broker.as_(FOREIGN)
        body = {"sections": {"lang": {"contact_language": "nld"}}}

        assert_uniform(
            *(
                stranger.put(f"/v1/clients/{who}/summary", json=body, headers={"If-Match": tag})
                for who in (story.handle, UNKNOWN_HANDLE)
            )
        )
        own = broker.as_("destap-ww").get(f"/v1/clients/{story.handle}/summary")
        assert own.headers["etag"] == '"1"'

    def test_t41_f_a_notice_is_answered_by_nobody_else(self, broker: Broker) -> None:
        story = opened(broker)
        story.fetch()
        story.withdraw()
        path = f"/v1/handovers/{story.handover}"
        events = broker.as_("vdab-gent").get(path).json()["events"]
        (notice,) = [each["event_id"] for each in events if each["type"] == "erasure_notice"]

        assert_uniform(
            *(
                broker.as_(who).post(f"{path}/acknowledgement", json={"ack_of": ack_of})
                for who, ack_of in [
                    (FOREIGN, notice),
                    (FOREIGN, UNKNOWN_ID),
                    ("destap-ww", notice),
                    ("vdab-gent", UNKNOWN_ID),
                ]
            )
        )
        done = broker.as_("vdab-gent").post(f"{path}/acknowledgement", json={"ack_of": notice})
        assert done.status_code == 200


@pytest.mark.case("T44")
def test_t44_a_part_under_somebody_elses_whole_does_not_exist(broker: Broker) -> None:
    read = opened(broker)
    read.fetch()
    read.withdraw()
    other = broker.story("cl-0002", FOREIGN, "P1")
    partner = broker.as_("vdab-gent")
    events = partner.get(f"/v1/handovers/{read.handover}").json()["events"]
    (notice,) = [each["event_id"] for each in events if each["type"] == "erasure_notice"]

    under_another = broker.as_(FOREIGN).post(
        f"/v1/handovers/{other.handover}/acknowledgement", json={"ack_of": notice}
    )
    under_nothing = partner.post(
        f"/v1/handovers/{UNKNOWN_ID}/acknowledgement", json={"ack_of": notice}
    )

    assert_uniform(under_another, under_nothing)
    assert broker.clock() == REFERENCE
