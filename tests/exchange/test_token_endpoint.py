"""The token endpoint: a signed assertion gives one token, once, and never more than registered."""

from base64 import b64encode
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from httpx2 import Response

from exchange.flows.administer import NewApplication, register_application
from exchange.problems import BASE
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import Services, build_services
from policies.vocabulary import OrganisationId
from tests.builders import Clock, logged
from tests.exchange.commands import PATIENCE
from tests.exchange.machines import Machine, endpoint, machine_of, revoke
from tests.exchange.processes import ask_for_token, both

FORM = "application/x-www-form-urlencoded"
UNKNOWN_CLIENT = {
    "type": f"{BASE}invalid-client",
    "title": "The client assertion is not valid",
    "status": 401,
    "error": "invalid_client",
}


@pytest.fixture
def machine(services: Services) -> Machine:
    return machine_of(services)


def assert_refused(answer: Response, status: int, name: str, error: str) -> None:
    """An OAuth error with the problem's members beside it, that no cache keeps."""
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error)
    assert (body["type"], body["status"]) == (BASE + name, status)
    assert set(body) == {"type", "title", "status", "error"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_a_signed_assertion_gives_a_token_that_works(services: Services, machine: Machine) -> None:
    answer = machine.ask()

    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 300)
    assert answer.headers["cache-control"] == "no-store"
    caller = {"Authorization": f"Bearer {body['access_token']}"}
    made = endpoint(services).post("/v1/clients", json={"reference": "x-1"}, headers=caller)
    assert made.status_code == 201
    (entry,) = [each for each in logged(services) if each["k"] == "client.registered"]
    assert entry["ap"] == machine.application


def test_a_token_works_until_it_expires(services: Services, machine: Machine, clock: Clock) -> None:
    caller = {"Authorization": f"Bearer {machine.ask().json()['access_token']}"}
    asking = endpoint(services)

    clock.move(timedelta(seconds=299))
    last = asking.get("/v1/handovers", headers=caller)
    clock.move(timedelta(seconds=1))
    late = asking.get("/v1/handovers", headers=caller)

    assert (last.status_code, late.status_code) == (200, 401)


@pytest.mark.case("T15")
def test_t15_c_an_assertion_counts_once(services: Services, machine: Machine) -> None:
    form = machine.form()
    asking = endpoint(services)

    first, second = (asking.post("/oauth/token", data=form) for _ in range(2))

    assert first.status_code == 200
    assert_refused(second, 401, "invalid-client", "invalid_client")


@pytest.mark.case("T15")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_t15_d_of_two_processes_exactly_one_takes_an_assertion(
    services: Services, machine: Machine
) -> None:
    answers = both(ask_for_token, services.settings, machine.form())

    assert sorted(answers) == [(200, None), (401, "invalid_client")]


@pytest.mark.case("T16")
def test_t16_an_assertion_that_was_used_is_used_after_a_restart_too(
    services: Services, machine: Machine, clock: Clock
) -> None:
    form = machine.form()
    first = endpoint(services).post("/oauth/token", data=form)
    services.close()
    again = build_services(services.settings, clock=clock)
    clock.move(timedelta(seconds=59))

    second = endpoint(again).post("/oauth/token", data=form)
    fresh = Machine(again, machine.application, machine.key, count(100)).ask()
    again.close()

    assert first.status_code == 200
    assert_refused(second, 401, "invalid-client", "invalid_client")
    assert fresh.status_code == 200


def test_the_id_of_an_assertion_is_each_applications_own(
    services: Services, machine: Machine
) -> None:
    other = machine_of(services, "vdab-gent")

    answers = [
        each.ask(client_assertion=each.assertion(jti="the-same")) for each in (machine, other)
    ]

    assert [each.status_code for each in answers] == [200, 200]


def test_a_used_id_is_forgotten_only_when_it_could_no_longer_be_valid(
    services: Services, machine: Machine, clock: Clock
) -> None:
    taken = machine.ask(client_assertion=machine.assertion(jti="again"))
    clock.move(timedelta(seconds=170))
    while_kept = machine.ask(client_assertion=machine.assertion(jti="again"))
    # Hosts' clocks may differ by five minutes: no other's could take it for valid after that.
    clock.move(timedelta(minutes=5, seconds=20))
    machine.ask()
    after = machine.ask(client_assertion=machine.assertion(jti="again"))

    assert [each.status_code for each in (taken, while_kept, after)] == [200, 401, 200]


@pytest.mark.case("T17")
@pytest.mark.parametrize(
    "kid",
    ["unknown", "../../keys.json", "/etc/passwd", "x' OR '1'='1", "'; DROP TABLE application;--"],
    ids=["a-unknown", "c-path", "c-absolute", "d-or", "d-drop"],
)
def test_t17_a_kid_that_names_no_key_of_the_application_is_refused(
    services: Services, machine: Machine, kid: str
) -> None:
    answer = machine.ask(client_assertion=machine.assertion({"kid": kid}))

    assert answer.json() == UNKNOWN_CLIENT
    assert machine.ask().status_code == 200  # and nothing was harmed


@pytest.mark.case("T17")
def test_t17_b_the_same_kid_at_another_application_opens_nothing(
    services: Services, machine: Machine
) -> None:
    key = signer_from_jwk(new_signing_key() | {"kid": machine.key.kid})
    order = NewApplication(OrganisationId("vdab-gent"), key.public_jwk())
    services.writer.submit(register_application, order).result(PATIENCE)
    thief = Machine(services, machine.application, key, count(50))

    answer = thief.ask()

    assert answer.json() == UNKNOWN_CLIENT


@pytest.mark.case("T18")
def test_t18_a_a_revoked_application_is_told_what_an_unknown_one_is(
    services: Services, machine: Machine
) -> None:
    unknown = Machine(services, "app:nobody-1", machine.key).ask()
    revoke(services, machine)
    revoked = machine.ask()

    assert (revoked.status_code, revoked.content) == (unknown.status_code, unknown.content)
    assert dict(revoked.headers) == dict(unknown.headers)
    assert revoked.json() == UNKNOWN_CLIENT


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/clients", {"reference": "x-2"}),
        ("GET", "/v1/handovers", None),
        ("GET", "/v1/handovers/00000000-0000-4000-8000-000000000000", None),
        ("GET", f"/v1/clients/{'a' * 26}/summary", None),
        ("PUT", f"/v1/clients/{'a' * 26}/summary", {"sections": {}}),
    ],
)
def test_a_token_that_was_read_before_is_refused_as_soon_as_its_application_is_revoked(
    services: Services, machine: Machine, method: str, path: str, body: Any
) -> None:
    asking = endpoint(services)
    caller = {"Authorization": f"Bearer {machine.ask().json()['access_token']}"}
    before = asking.request(method, path, json=body, headers=caller)
    revoke(services, machine)

    after = asking.request(method, path, json=body, headers=caller)

    assert before.status_code in {200, 201, 404}
    assert after.status_code == 401
    assert after.json()["type"] == f"{BASE}not-authenticated"
    assert "www-authenticate" in after.headers


@pytest.mark.case("T19")
@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "client_credentials"},
        {"grant_type": "password", "username": "u", "password": "p"},
        {"grant_type": "refresh_token", "refresh_token": "r"},
        {"grant_type": "authorization_code", "code": "c"},
    ],
    ids=["a-secret", "b-password", "c-refresh", "d-code"],
)
def test_t19_no_other_way_to_a_token_is_supported(
    services: Services, machine: Machine, form: dict[str, str]
) -> None:
    secret = b64encode(f"{machine.application}:secret".encode()).decode()

    answer = endpoint(services).post(
        "/oauth/token", data=form, headers={"Authorization": f"Basic {secret}"}
    )

    assert_refused(answer, 400, "unsupported-grant", "unsupported_grant_type")


@pytest.mark.case("T20")
def test_t20_a_scopes_beyond_those_registered_are_left_out(services: Services) -> None:
    machine = machine_of(services, scopes=frozenset({"client", "summary"}))

    answer = machine.ask(scope="summary audit-all handover")

    assert answer.json()["scope"] == "summary"
    granted = f"Bearer {answer.json()['access_token']}"
    assert services.tokens.read(granted, services.clock()).scopes == {"summary"}
    assert machine.ask().json()["scope"] == "client summary"


@pytest.mark.case("T20")
@pytest.mark.parametrize("scope", ["audit-all", "no-such-scope", "client no-such-scope", " "])
def test_t20_a_where_nothing_asked_is_registered_there_is_no_token(
    machine: Machine, scope: str
) -> None:
    assert_refused(machine.ask(scope=scope), 400, "invalid-scope", "invalid_scope")


@pytest.mark.case("T20")
@pytest.mark.parametrize("name", ["grant_type", "client_assertion", "scope", "other"])
def test_t20_b_a_parameter_that_comes_twice_is_refused(
    services: Services, machine: Machine, name: str
) -> None:
    form = machine.form(scope="client", other="x")
    pairs = [*form.items(), (name, form[name])]
    body = "&".join(f"{key}={value}" for key, value in pairs)

    answer = endpoint(services).post("/oauth/token", content=body, headers={"Content-Type": FORM})

    assert_refused(answer, 400, "malformed-request", "invalid_request")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"grant_type": "client_credentials"}'),
        ("text/plain", b"grant_type=client_credentials"),
        ("multipart/form-data; boundary=x", b"--x--"),
        (FORM, b"grant_type"),
        (FORM, "grant_type=ö".encode()),
        (FORM, b"a=1&b=2&c=3&d=4&e=5&f=6&g=7"),
        (FORM, b"grant_type=client_credentials&x=" + b"x" * 16_384),
    ],
)
def test_what_is_no_small_form_is_refused(
    services: Services, content_type: str, body: bytes
) -> None:
    answer = endpoint(services).post(
        "/oauth/token", content=body, headers={"Content-Type": content_type}
    )

    assert_refused(answer, 400, "malformed-request", "invalid_request")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://somewhere.example"},
        {"aud": ["http://127.0.0.1:8080"]},
        {"aud": "http://127.0.0.1:8080/oauth/token"},
        {"jti": None},
        {"jti": "x" * 1024},
        {"sub": "app:other-1"},
        {"exp": 1},
    ],
    ids=str,
)
def test_an_assertion_that_is_not_for_us_and_now_is_refused(
    machine: Machine, claims: dict[str, Any]
) -> None:
    answer = machine.ask(client_assertion=machine.assertion(**claims))

    assert answer.json() == UNKNOWN_CLIENT


@pytest.mark.parametrize(
    "form",
    [
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion": ""},
        {"client_assertion": "no.jws.here"},
        {"client_id": "app:other-1"},
    ],
    ids=str,
)
def test_a_form_that_proves_nothing_is_refused(machine: Machine, form: dict[str, str]) -> None:
    answer = machine.ask(**form)

    assert (answer.status_code, answer.json()["error"]) in {
        (401, "invalid_client"),
        (400, "invalid_request"),
    }


def test_a_client_id_that_says_the_same_is_fine(machine: Machine) -> None:
    assert machine.ask(client_id=machine.application).status_code == 200


def test_the_metadata_comes_from_the_settings_whatever_the_request_says(services: Services) -> None:
    answer = endpoint(services).get(
        "/.well-known/oauth-authorization-server",
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )

    body = answer.json()
    assert body["issuer"] == services.settings.issuer
    assert body["token_endpoint"] == f"{services.settings.issuer}/oauth/token"
    every = "aggregate appointment audit audit-all client consent handover query summary"
    assert body["scopes_supported"] == every.split()
    assert "evil" not in answer.text


def test_the_published_keys_hold_no_secret(services: Services) -> None:
    (key,) = endpoint(services).get("/.well-known/jwks.json").json()["keys"]

    assert set(key) <= {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_restart_keeps_the_tokens_that_were_given(
    services: Services, machine: Machine, clock: Clock
) -> None:
    caller = {"Authorization": f"Bearer {machine.ask().json()['access_token']}"}
    services.close()
    again = build_services(services.settings, clock=clock)

    answer = endpoint(again).get("/v1/handovers", headers=caller)
    again.close()

    assert answer.status_code == 200
