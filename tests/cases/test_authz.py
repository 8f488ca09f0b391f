"""T42, T43, T45 to T49: nobody gets more than was granted, whichever way the request is bent."""

import inspect
from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import pytest
from pydantic import BaseModel

from exchange import handovers, records
from exchange.api.dependencies import Body
from exchange.api.forms import HANDLE, HandleText
from exchange.app import create_app
from exchange.records import NO_CLIENT
from exchange.samples import samples
from exchange.services import SHARD, Services
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, query
from tests.cases.uniform import UNKNOWN_HANDLE, UNKNOWN_ID, assert_uniform, reasons, size

GRANTED = ("ident", "contact", "educ", "work", "goals", "agree")
SUBSETS = list(chain.from_iterable(combinations(GRANTED, n) for n in range(1, len(GRANTED) + 1)))


@pytest.mark.case("T42")
@pytest.mark.parametrize("member", ["org_id", "status", "granted_by"], ids=["a", "b", "c"])
def test_t42_a_member_that_no_body_has_is_refused_everywhere(broker: Broker, member: str) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    handover, client = f"/v1/handovers/{story.handover}", f"/v1/clients/{story.handle}"
    push = {"client": story.handle, "recipient": "org:vdab-gent", "purpose": "P2"}
    doors: list[tuple[str, str, str, Any]] = [
        ("destap-ww", "POST", "/v1/clients", {"reference": "new-1"}),
        ("destap-ww", "PUT", f"{client}/flags", {"flags": []}),
        ("destap-ww", "POST", f"{client}/disclosures", {}),
        ("destap-ww", "PUT", f"{client}/summary", {"sections": {}}),
        ("destap-ww", "POST", f"{client}/consents", dict(story.sample.consent)),
        ("destap-ww", "POST", f"/v1/consents/{story.consent}/withdrawal", {"via": "portal"}),
        ("destap-ww", "POST", "/v1/handovers", {**push, "reason_code": "other"}),
        ("vdab-gent", "POST", f"{handover}/acceptance", {}),
        ("vdab-gent", "POST", f"{handover}/refusal", {"reason_code": "other"}),
        ("vdab-gent", "POST", f"{handover}/first-contact", {}),
        ("vdab-gent", "POST", f"{handover}/closure", {}),
        ("destap-ww", "POST", f"{handover}/revocation", {}),
        ("vdab-gent", "POST", f"{handover}/acknowledgement", {"ack_of": UNKNOWN_ID}),
        ("vdab-gent", "POST", "/v1/summaries/query", story.query()),
    ]

    for who, method, path, body in doors:
        answer = broker.as_(who).request(
            method,
            path,
            json={**body, member: "org:vdab-gent"},
            headers={"Idempotency-Key": "key-t42-0001"},
        )
        assert answer.status_code == 422, (method, path, answer.text)
        assert answer.json()["type"].endswith(":invalid-content")
        assert "vdab-gent" not in answer.text

    shown = broker.as_("vdab-gent").get(handover).json()
    assert (shown["state"], len(shown["events"])) == ("offered", 1)
    (consent,) = broker.as_("destap-ww").get(f"{client}/consents").json()["items"]
    assert consent["state"] == "given"


@pytest.mark.case("T43")
def test_t43_no_answer_holds_a_field_outside_what_was_granted(broker: Broker) -> None:
    sample = samples()["cl-0004"]
    handle = broker.registered(sample)
    holder, partner = broker.as_("destap-ww"), broker.as_("vdab-gent")
    grant = sample.consent["grants"][0]

    for subset in SUBSETS:
        consent = dict(sample.consent) | {"grants": [grant | {"sections": list(subset)}]}
        given = holder.post(f"/v1/clients/{handle}/consents", json=consent).json()["consent"]
        handover = broker.related("destap-ww", handle, "vdab-gent", "P2")
        answer = partner.post(
            "/v1/summaries/query", json=query(handover=handover, purpose="P2")
        ).json()
        ended = holder.post(f"/v1/consents/{given}/withdrawal", json={"via": "portal"})
        assert ended.status_code == 200

        assert set(answer["released"]) == set(subset)
        # The caller's own name for the client, which it knows already, comes with every answer.
        del answer["summary"]["ident"]["pseudonym"]
        got = {section: fields for section, fields in answer["summary"].items() if fields}
        assert set(got) == set(subset)
        for section, fields in got.items():
            assert fields.keys() <= sample.sections[section].keys()


@pytest.mark.case("T45")
def test_t45_no_route_takes_several_clients_at_once(broker: Broker) -> None:
    many = [{"client": UNKNOWN_HANDLE}, {"client": UNKNOWN_HANDLE}]

    for path in paths(broker.services, "POST", "PUT"):
        for who in ("destap-ww", "vdab-gent"):
            url = path.format(
                client=UNKNOWN_HANDLE,
                consent="c-0000",
                handover=UNKNOWN_ID,
                request=UNKNOWN_ID,
                recall=UNKNOWN_ID,
                basis=UNKNOWN_ID,
            )
            method = "PUT" if path in paths(broker.services, "PUT") else "POST"
            if not takes_a_body(broker.services, method, path):
                continue
            answer = broker.as_(who).request(method, url, json=many)
            assert answer.status_code in {400, 422}, (path, answer.status_code)

    lists = [(model, each) for model in bodies(Body) for each in lists_in(model)]
    assert lists, "no body with a list was found: this test looks at nothing"
    assert not [model for model, items in lists if names_somebody(items)]
    assert [items for items in lists_in(Several) if names_somebody(items)]


@pytest.mark.case("T46")
@pytest.mark.parametrize(
    "query_function",
    [records.client_known_as, records.handle_of, handovers.handover_by_key, handovers.page],
    ids=lambda each: each.__name__,
)
def test_t46_no_query_by_an_organisations_own_name_can_be_made_without_it(
    query_function: Callable[..., Any],
) -> None:
    parameters = inspect.signature(query_function).parameters
    tenant = parameters.get("organisation") or parameters["sender"]

    assert tenant.kind is inspect.Parameter.KEYWORD_ONLY
    assert tenant.default is inspect.Parameter.empty


@pytest.mark.case("T46")
def test_t46_without_its_organisation_a_handle_is_nobodys(broker: Broker) -> None:
    handle = Handle(broker.registered(samples()["cl-0004"]))
    known_as: Callable[..., Any] = records.client_known_as

    with broker.services.database.reading() as connection:
        mine = known_as(connection, shard=SHARD, organisation="destap-ww", handle=handle)
        found = [
            known_as(connection, shard=SHARD, organisation=OrganisationId(name), handle=handle)
            for name in ("", "%", "destap", "vdab-gent")
        ]
        with pytest.raises(TypeError, match="organisation"):
            known_as(connection, shard=SHARD, handle=handle)

    assert mine != NO_CLIENT
    assert found == [NO_CLIENT] * 4


@pytest.mark.case("T47")
class TestT47Purposes:
    def test_t47_a_a_purpose_that_was_not_consented_to_is_refused(self, broker: Broker) -> None:
        story = broker.story("cl-0004", "vdab-gent", "P2")
        before = size(broker.services)

        assert_uniform(story.fetch(purpose="P6"))

        assert reasons(broker.services, "summary.refused") == ["NO_CONSENT"]
        assert size(broker.services) == before + 1

    @pytest.mark.parametrize("purpose", ["voor de zekerheid", "p2", "P2 ", "", "P2,P6", "P٢"])
    def test_t47_b_a_purpose_in_free_text_is_not_accepted(
        self, broker: Broker, purpose: str
    ) -> None:
        story = broker.story("cl-0004", "vdab-gent", "P2")

        answer = story.fetch(purpose=purpose)

        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"loc": "purpose", "type": "string_pattern_mismatch"}]

    def test_t47_b_a_code_that_is_no_purpose_is_told_as_such(self, broker: Broker) -> None:
        answer = broker.story("cl-0004", "vdab-gent", "P2").fetch(purpose="P77")

        assert answer.status_code == 403
        assert answer.json()["type"].endswith(":purpose-unknown")

    def test_t47_c_a_token_for_something_else_reads_no_summary(self, broker: Broker) -> None:
        story = broker.story("cl-0004", "vdab-gent", "P2")
        token, _ = broker.services.tokens.issue(
            application=broker.application("vdab-gent"),
            organisation=OrganisationId("vdab-gent"),
            scopes=frozenset({"handover"}),
            at=broker.clock(),
            token_id="t-narrow",  # noqa: S106 - a name, no secret
        )
        partner = broker.as_("vdab-gent")
        partner.headers["Authorization"] = f"Bearer {token}"

        answer = partner.post("/v1/summaries/query", json=story.query())

        assert answer.status_code == 403
        assert answer.json()["type"].endswith(":insufficient-scope")
        assert reasons(broker.services, "summary.released") == []

    def test_t47_c_a_purpose_granted_to_somebody_else_is_not_the_callers(
        self, broker: Broker
    ) -> None:
        story = broker.story("cl-0005", "vdab-wvl", "P2")

        answer = story.fetch(purpose="P1")

        assert answer.status_code in {403, 404}
        assert reasons(broker.services, "summary.released") == []
        assert len(reasons(broker.services, "summary.refused")) == 1


@pytest.mark.case("T48")
def test_t48_a_recipient_passes_nobody_on(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    (line,) = broker.as_("vdab-gent").get("/v1/handovers").json()["items"]
    received = line["subject"]["pairwise_id"]
    assert received != story.handle

    assert_uniform(
        broker.pushed("vdab-gent", received, "destap-ww", "P6"),
        broker.pushed("vdab-gent", received, "vdab-wvl", "P2"),
        broker.pushed("vdab-gent", UNKNOWN_HANDLE, "destap-ww", "P6"),
    )

    assert reasons(broker.services, "handover.refused") == ["NOT_THE_HOLDER"] * 3
    assert broker.as_("vdab-wvl").get("/v1/handovers").json()["items"] == []
    shown = broker.as_("vdab-gent").get(f"/v1/handovers/{story.handover}").json()
    assert shown["onward"] is False
    assert shown["from"]["org"] == "destap-ww"
    assert story.fetch().json()["obligations"]["onward"] is False


@pytest.mark.case("T49")
def test_t49_nobody_can_list_people(broker: Broker) -> None:
    broker.registered(samples()["cl-0004"])
    holder = broker.as_("destap-ww")

    for path in paths(broker.services, "GET"):
        assert "client" not in path or "{client}" in path, path
    for path in ("/v1/clients", "/v1/summaries", "/v1/summaries/query", "/v1/consents"):
        assert holder.get(path).status_code in {404, 405}, path
    assert holder.get("/v1/handovers?limit=201").status_code == 422
    # What is due is asked of by its holder, and only what has been given.
    assert holder.get("/v1/consents/due?limit=201").status_code == 422
    for path in ("/v1/handovers?box=outbox", "/v1/consents/due", "/v1/consents/due?which=held"):
        assert holder.get(path).json() == {"items": [], "next": None}


def takes_a_body(services: Services, method: str, path: str) -> bool:
    said: dict[str, Any] = create_app(services).openapi()["paths"][path][method.lower()]
    return "requestBody" in said


def paths(services: Services, *methods: str) -> list[str]:
    """The paths of version 1 that take one of the methods."""
    known: dict[str, dict[str, Any]] = create_app(services).openapi()["paths"]
    found = [
        path
        for path, takes in known.items()
        if path.startswith("/v1/") and takes.keys() & {each.lower() for each in methods}
    ]
    assert found, "no route was found: this test looks at nothing"
    return found


def bodies(model: type[Body]) -> list[type[Body]]:
    return [each for sub in model.__subclasses__() for each in (sub, *bodies(sub))]


def whole(node: Any, named: dict[str, Any]) -> Any:
    """A schema with what it refers to by name put in its place."""
    if isinstance(node, dict):
        if "$ref" in node:
            return whole(named[node["$ref"].rpartition("/")[2]], named)
        return {key: whole(each, named) for key, each in node.items()}
    return [whole(each, named) for each in node] if isinstance(node, list) else node


def lists_in(model: type[BaseModel]) -> list[dict[str, Any]]:
    """What each list in a body may hold, as JSON schema."""
    found: list[dict[str, Any]] = []
    schema = model.model_json_schema()
    waiting: list[Any] = [whole(schema, schema.pop("$defs", {}))]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found += [each["items"]] if each.get("type") == "array" else []
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return found


def names_somebody(items: Any) -> bool:
    """Whether a member of a list, or anything in it, can be a handle or the id of a handover."""
    if isinstance(items, dict):
        named = str(items.get("pattern", "")).startswith((HANDLE[:8], "^[0-9a-f]{8}"))
        return named or "$ref" in items or any(map(names_somebody, items.values()))
    return isinstance(items, list) and any(map(names_somebody, items))


class One(BaseModel):
    """Somebody, in an object."""

    whose: HandleText | None = None


class Several(BaseModel):
    """What no address may take: so that it is known to be found."""

    ones: list[One]
