"""T99 to T102: what a request says of itself, and what every answer carries."""

from typing import Any

import pytest

from exchange.services import Services
from tests.builders import Broker
from tests.cases.listening import (
    listening,
    sent,
    statuses,
)


@pytest.fixture
def port(services: Services) -> Any:
    with listening(services) as port:
        yield port


@pytest.mark.case("T99")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"X-Forwarded-For": "203.0.113.9", "Forwarded": "host=evil.example;proto=https"},
        {"X-Forwarded-Prefix": "/evil", "X-Original-URL": "/metrics", "X-Rewrite-URL": "/metrics"},
    ],
    ids=["a-host", "b-host-and-scheme", "b-address", "b-path"],
)
def test_t99_what_a_stranger_says_of_the_way_it_came_changes_nothing(
    broker: Broker, headers: dict[str, str]
) -> None:
    asker = broker.as_("vdab-gent")

    for path in (
        "/healthz",
        "/.well-known/oauth-authorization-server",
        "/v1/handovers",
        "/nothing",
    ):
        plain, spoofed = asker.get(path), asker.get(path, headers=headers)

        assert (plain.status_code, plain.content) == (spoofed.status_code, spoofed.content)
        assert plain.headers == spoofed.headers
        assert "evil" not in spoofed.text
    slashed = asker.get("/v1/handovers/", headers=headers, follow_redirects=False)
    assert slashed.status_code == 404


@pytest.mark.case("T99")
@pytest.mark.parametrize("hosts", [[], [("Host", "a"), ("Host", "b")]], ids=["none", "two"])
def test_t99_without_one_host_a_request_is_ambiguous(
    port: int, hosts: list[tuple[str, str]]
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in hosts)

    answer = sent(port, f"GET /healthz HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())

    assert statuses(answer) == [400]


OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


@pytest.mark.case("T100")
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        *(("POST", "/v1/clients", {each: "GET"}) for each in OVERRIDES),
        *(("GET", "/v1/handovers", {each: "DELETE"}) for each in OVERRIDES),
        ("TRACE", "/v1/clients", {}),
        ("TRACE", "/nothing", {}),
        ("CONNECT", "/v1/clients", {}),
        ("PROPFIND", "/v1/clients", {}),
        ("HEAD", "/v1/summaries/query", {}),
        ("HEAD", "/v1/clients", {}),
        ("DELETE", "/v1/clients", {}),
        ("POST", "/v1/handovers/x", {}),
    ],
    ids=[f"{part}-{number}" for number, part in enumerate("aaaaaabbbbcccc")],
)
def test_t100_no_method_but_those_of_the_address_reaches_it(
    broker: Broker, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = broker.as_("vdab-gent").request(method, path, headers=headers)

    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert method not in answer.headers["allow"].split(", ") or headers


def test_the_answer_to_a_wrong_method_names_the_right_ones(broker: Broker) -> None:
    answer = broker.as_("vdab-gent").delete("/v1/clients/x/summary")

    assert answer.headers["allow"] == "GET, PUT"


@pytest.mark.case("T101")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8080"])
def test_t101_no_page_of_another_origin_is_let_read_anything(broker: Broker, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = broker.as_("vdab-gent").options(
        "/v1/summaries/query",
        headers=asked | {"Access-Control-Request-Headers": "authorization, content-type"},
    )
    simple = broker.as_("vdab-gent").get("/v1/handovers", headers={"Origin": origin})

    assert preflight.status_code == 405
    for answer in (preflight, simple):
        assert not [each for each in answer.headers if each.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.case("T102")
@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        None,
        "text/plain",
        "text/plain; application/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-16",
        "application/jsonx",
        "application/problem+json",
    ],
    ids=["a-form", "a-multipart", "b-none", *(f"c-{n}" for n in range(7))],
)
def test_t102_json_that_does_not_say_it_is_json_is_refused(
    broker: Broker, kind: str | None
) -> None:
    holder = broker.as_("destap-ww")
    headers = {} if kind is None else {"Content-Type": kind}

    answer = holder.post("/v1/clients", content=b'{"reference":"x"}', headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (
        400,
        "urn:overdracht:problem:malformed-request",
    )


@pytest.mark.case("T102")
def test_t102_two_content_types_or_an_encoding_are_refused(broker: Broker) -> None:
    holder = broker.as_("destap-ww")
    json = ("Content-Type", "application/json")
    extra = [json, ("Content-Encoding", "gzip"), ("Content-Encoding", "identity")]

    for other in extra:
        answer = holder.post("/v1/clients", content=b'{"reference":"x"}', headers=[json, other])
        assert answer.status_code == 400
    for kind in ("application/json", "Application/JSON; charset=UTF-8"):
        answer = holder.post(
            "/v1/clients", content=b'{"reference":"x"}', headers={"Content-Type": kind}
        )
        assert answer.status_code in {200, 201}


@pytest.mark.parametrize(
    ("who", "method", "path", "most"),
    [
        ("vdab-gent", "POST", "/v1/summaries/query", 65_536),
        ("destap-ww", "POST", "/v1/clients", 65_536),
        ("destap-ww", "PUT", "/v1/clients/x/summary", 262_144),
    ],
)
def test_each_address_takes_no_larger_body_than_it_needs(
    broker: Broker, who: str, method: str, path: str, most: int
) -> None:
    headers = {"Content-Type": "application/json"}
    fits = b'{"x":"' + b" " * (most - 8) + b'"}'

    asker = broker.as_(who)
    assert asker.request(method, path, content=fits, headers=headers).status_code == 422
    for larger in (b" " + fits, iter([fits, b" "])):
        answer = asker.request(method, path, content=larger, headers=headers)
        assert answer.status_code == 413


WALLS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def test_every_answer_carries_the_walls_whatever_it_is(broker: Broker) -> None:
    async def crashing() -> None:
        raise RuntimeError

    broker.app.add_api_route("/crash", crashing)
    asker = broker.as_("destap-ww")
    answers = [
        asker.post("/v1/clients", json={"reference": "x"}),
        asker.get("/healthz"),
        asker.get("/nothing"),
        asker.delete("/v1/clients"),
        asker.post("/v1/clients", json={"x": 1}),
        asker.post("/v1/clients", content=b"x" * 1_000_000),
        asker.get("/v1/audit/checkpoint"),
        asker.get("/crash"),
        asker.request("TRACE", "/healthz"),
        asker.post("/oauth/token"),
        asker.get("/v1/handovers", headers={"Authorization": "Bearer x"}),
    ]

    for answer in answers:
        assert {name: answer.headers.get(name) for name in WALLS} == WALLS, answer.url
        assert "strict-transport-security" not in answer.headers
        assert "no-store" in answer.headers["cache-control"] or answer.url.path.endswith("point")
        assert not {"server", "x-powered-by", "date"} & set(answer.headers)
    assert [each.status_code for each in answers] == [
        201, 200, 404, 405, 422, 413, 404, 500, 405, 400, 401,
    ]  # fmt: skip
