"""P90 to P95 can not be configured, granted, mapped to or requested; who asks is heard of."""

from pathlib import Path
from typing import Any

import pytest

from consent.notices import NoticeRefused, read_notice
from exchange import alerts
from exchange.agreeing import agreements_apply
from exchange.alert_commands import _WORDS
from exchange.alerts import AlertKind
from exchange.operations import OperationRefused, organisations_apply
from exchange.samples import DATA, directory_documents, samples
from exchange.services import SHARD
from exchange.settings import Settings
from exchange.tenancy import EVERYBODY
from policies.agreements import read_agreement
from policies.documents import UnfitDocument
from policies.organisations import read_directory
from policies.purposes import PROHIBITED, InvalidPurposes, purpose_list, read_purposes
from policies.rule_texts import RulesRefused
from policies.site_rules import SHIPPED, load_overlay
from tests.builders import Broker, logged, query
from tests.exchange.console import Overdracht, command_line

NAMES = sorted(purpose_list().prohibited)
"""Every code and every other name of a use that nobody may have."""

PURPOSES = Path("policies/purposes.yaml").read_text("utf-8")


def test_the_six_uses_are_known_by_code_and_by_name() -> None:
    assert set(NAMES) > PROHIBITED
    assert len(PROHIBITED) == 6


@pytest.mark.parametrize("name", NAMES)
def test_no_agreement_has_it_in_a_flow(name: str) -> None:
    document = directory_documents()["agreement"]["PR-2026-001"]
    document["flows"][0]["purposes"] = ["P1", name]

    with pytest.raises(UnfitDocument, match=r"flows\[0\].purposes\[1\]"):
        read_agreement(document)


@pytest.mark.parametrize("name", NAMES)
def test_no_notice_speaks_of_it_as_of_a_choice(name: str) -> None:
    text = (DATA / "notices" / "N-P2.nl.md").read_text("utf-8")

    with pytest.raises(NoticeRefused, match="purposes"):
        read_notice(text.replace("purposes: [P2]", f"purposes: [P2, {name}]").encode())


@pytest.mark.parametrize("place", ["organisations", "partnerships"])
def test_no_directory_lets_an_organisation_have_it(place: str) -> None:
    known = directory_documents()
    document: dict[str, Any] = {
        "version": "1",
        "organisations": list(known["organisation"].values()),
        "partnerships": list(known["partnership"].values()),
    }
    document[place][0]["purposes"] = ["P90"]

    with pytest.raises(UnfitDocument, match=rf"{place}\[0\].purposes"):
        read_directory(document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  P90:", "  P96:"),
        ("  P94:", "  P11:"),
        ("purposes:\n", "purposes:\n  P90: {}\n"),
        ("dpv:CommunicationManagement", "dpv:Marketing"),
    ],
)
def test_no_list_of_purposes_takes_it_off_or_lets_it_in_by_another_name(old: str, new: str) -> None:
    assert old in PURPOSES

    with pytest.raises(InvalidPurposes):
        read_purposes(PURPOSES.replace(old, new, 1).encode())


@pytest.mark.parametrize("code", sorted(PROHIBITED))
def test_no_rule_of_an_installation_permits_it(tmp_path: Path, code: str) -> None:
    (tmp_path / "site.cedar").write_text(
        f'@id("SITE_X") permit (principal, action == Action::"release", resource)'
        f' when {{ context.purpose == "{code}" }};'
    )

    with pytest.raises(RulesRefused, match="only the base may permit"):
        load_overlay(SHIPPED / "hard", tmp_path)


def test_no_setting_speaks_of_purposes() -> None:
    assert not [name for name in Settings.model_fields if "purpose" in name]


def test_what_is_refused_is_refused_as_a_whole(broker: Broker) -> None:
    services, known = broker.services, directory_documents()
    version = services.directory().version
    agreements = {name: dict(each) for name, each in known["agreement"].items()}
    agreements["PR-2026-001"]["title"] = "Changed"
    flow = agreements["PR-2026-002"]["flows"][0]
    agreements["PR-2026-002"]["flows"] = [flow | {"purposes": ["P90"]}]
    organisations = [dict(each) for each in known["organisation"].values()]
    organisations[0]["purposes"] = ["P90"]

    with pytest.raises(OperationRefused, match="PR-2026-002"):
        list(agreements_apply(services, {"documents": agreements}))
    document = {"version": "1", "organisations": organisations, "partnerships": []}
    with pytest.raises(OperationRefused):
        list(organisations_apply(services, {"document": document}))

    assert services.directory().version == version


CONSENT = samples()["cl-0004"].consent
GRANT = CONSENT["grants"][0]


@pytest.mark.parametrize("code", ["P90", "P95"])
def test_nobody_grants_pushes_asks_or_records_it(broker: Broker, code: str) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    holder, partner = broker.as_("destap-ww"), broker.as_("vdab-gent")
    before = len(released(broker))
    mine, handle = f"/v1/clients/{story.handle}", _known_as(broker)
    ways = {
        "grant": holder.post(
            f"{mine}/consents", json={**CONSENT, "grants": [GRANT | {"purpose": code}]}
        ),
        "refusal": holder.post(
            f"{mine}/consents", json={**CONSENT, "refused": [{"purpose": code, "recipient": "any"}]}
        ),
        "preview": holder.post(
            f"{mine}/consents/preview", json={**CONSENT, "grants": [GRANT | {"purpose": code}]}
        ),
        "basis": holder.post(
            f"{mine}/bases",
            json={
                "kind": "agreement_article",
                "recipient": "org:vdab-gent",
                "purpose": code,
                "agreement": "PR-2026-004",
                "reference": "art-4",
            },
        ),
        "push": broker.pushed("destap-ww", story.handle, "vdab-gent", code),
        "ask": partner.post(
            "/v1/consent-requests",
            json={"client": handle, "purpose": code, "sections": ["educ"], "reason_code": "other"},
        ),
        "query": story.fetch(purpose=code),
        "in the name of another": story.fetch(purpose=code, on_behalf_of="org:vdab-wvl"),
        "deposit": holder.put(f"{mine}/summary", json={"sections": {}, "purposes": [code]}),
    }
    assert {name: each.status_code for name, each in ways.items()} == {
        "grant": 422,
        "refusal": 422,
        "preview": 422,
        "basis": 422,
        "push": 403,
        "ask": 403,
        "query": 403,
        "in the name of another": 403,
        "deposit": 422,
    }
    assert len(released(broker)) == before
    told = {ways[name].json()["type"].rpartition(":")[2] for name in ("push", "ask", "query")}
    assert told == {"purpose-prohibited"}


def _known_as(broker: Broker) -> str:
    items = broker.as_("vdab-gent").get("/v1/handovers").json()["items"]
    return str(items[0]["subject"]["pairwise_id"])


def released(broker: Broker) -> list[str]:
    return [each["k"] for each in logged(broker.services) if each["o"] == "permit"]


def test_the_officer_hears_once_a_day_who_asked_for_it_how_often(
    broker: Broker, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    nobody = query(client="a" * 26, purpose="P90")
    for _ in range(2):
        assert story.fetch(purpose="P90").status_code == 403
    assert broker.as_("vdab-gent").post("/v1/summaries/query", json=nobody).status_code == 403
    assert story.fetch(purpose="P91").status_code == 403
    assert broker.pushed("destap-ww", "a" * 26, "vdab-gent", "P90").status_code == 404
    broker.clock.move(broker.clock().replace(day=4))
    assert story.fetch(purpose="P90").status_code == 403

    with broker.services.database.reading(tenant=EVERYBODY) as connection:
        found = alerts.standing(connection, shard=SHARD)
        counted = alerts.counted(connection, shard=SHARD)
        raw = str(connection.exec_driver_sql("SELECT * FROM alert").all())
    said = sorted((each.day, each.organisation, each.purpose, each.times) for each in found)
    assert said == [
        ("2026-11-02", "destap-ww", "P90", 1),
        ("2026-11-02", "vdab-gent", "P90", 3),
        ("2026-11-02", "vdab-gent", "P91", 1),
        ("2026-11-04", "vdab-gent", "P90", 1),
    ]
    assert {each.kind for each in found} == {"prohibited_purpose"}
    assert {each.application for each in found} == {"app:destap-ww-1", "app:vdab-gent-1"}
    assert counted["prohibited_purpose"] == 6
    assert story.handle not in raw
    assert story.handover not in raw
    broker.services.close()
    overdracht: Overdracht = command_line(settings, monkeypatch, capsys)
    assert "asked for a prohibited purpose: P90, 3 times" in overdracht("alerts", "list").out
    shown = overdracht("alerts", "list", "--since", "2026-11-03", "--json").json["alerts"]
    assert [each["purpose"] for each in shown] == ["P90"]
    assert overdracht("alerts", "list", "--since", "soon").code == 2


def test_every_kind_of_alert_has_its_words() -> None:
    assert set(_WORDS) == set(AlertKind)
