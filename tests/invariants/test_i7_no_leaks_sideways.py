"""I7: no personal data in URLs, logs, spans, error bodies, file names or plain columns."""

import threading
from pathlib import Path

import httpx2
import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from exchange.app import create_app
from exchange.services import Services
from exchange.serving import server_for
from exchange.transaction import Outcome, Transaction
from tests.builders import Broker
from tests.invariants.canaries import IDENTITY, NOTE, PERSONAL, Flight, flown, found_in
from tests.invariants.stored import plain, rows

OURS = frozenset({"client", "consent", "handover", "request", "recall", "basis"})
"""Names in paths: each stands for an opaque id."""

OF_THE_LOG = frozenset({"index", "log", "level", "place", "language"})
OF_THE_REGISTER = frozenset({"agreement", "version"})
"""Where something stands in the log: numbers, and the log's own name."""

QUERIES = {"as", "box", "state", "which", "cursor", "limit"}


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    """All spans that anything in this process exports from now on."""
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def flight(broker: Broker, tmp_path: Path) -> Flight:
    exports = tmp_path / "exports"
    exports.mkdir()
    return flown(broker, exports)


@pytest.mark.case("T110")
def test_t110e_no_column_and_no_file_holds_anything_personal(
    services: Services, flight: Flight
) -> None:
    released = [each for each in flight.good if "precision" in each.text]
    assert {"given_name", "family_name", "phone"} <= set(found_in(released[0].text))

    stored = list(rows(services))

    assert {"client", "audit_entry", "audit_part", "handover", "consent"} <= {
        t for t, _, _ in stored
    }
    assert any(b"ocmw-kortrijk" in plain(value) for _, _, value in stored)
    leaks = [(t, c, found) for t, c, value in stored if (found := found_in(plain(value)))]
    assert leaks == []
    files = [each for each in services.settings.data_dir.rglob("*") if each.is_file()]
    assert files
    for path in files:
        assert found_in(str(path.relative_to(services.settings.data_dir))) == []
        assert found_in(path.read_bytes()) == []


@pytest.mark.case("T110")
def test_t110d_no_error_and_no_report_repeats_what_was_sent(flight: Flight) -> None:
    statuses = {each.status_code for each in flight.bad}
    assert {400, 401, 404, 422} <= statuses
    assert 500 not in statuses
    assert len(flight.bad) > 120

    for answer in flight.bad:
        assert found_in(answer.content) == []
        assert found_in(str(answer.headers.raw)) == []
    assert flight.report[-1]["stored"] == 1
    assert found_in(str(flight.report)) == []


@pytest.mark.case("T110")
def test_t110ab_no_log_and_no_span_tells_anything_personal(
    spans: InMemorySpanExporter,
    broker: Broker,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    spans.clear()
    (exports := tmp_path / "exports").mkdir()

    flown(broker, exports)
    broker.services.writer.submit(crash).exception()

    told = capfd.readouterr()
    assert found_in(told.out + told.err + caplog.text) == []
    for span in spans.get_finished_spans():
        assert found_in(span.to_json()) == []


@pytest.mark.case("T110")
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_t110b_nothing_is_traced_whatever_the_environment_or_a_caller_says(
    spans: InMemorySpanExporter, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    spans.clear()
    said = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "baggage": f"name={IDENTITY['alias']}"}
    seen: list[dict[str, str]] = []

    async def look(request: Request) -> None:
        seen.append(dict(request.headers))

    app = create_app(broker.services)
    app.add_api_route("/look", look)
    answer = TestClient(app).get("/look", headers=said | {"tracestate": "x=1"})

    assert answer.status_code == 200
    assert spans.get_finished_spans() == ()
    assert not {"traceparent", "tracestate", "baggage"} & {*seen[0], *answer.headers}


def crash(_: Transaction) -> Outcome[None]:
    """A mistake of ours, with personal data in its words."""
    raise RuntimeError(f"{IDENTITY['family_name']} {NOTE}")


@pytest.mark.case("T110")
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_t110a_a_crash_is_logged_by_its_kind_and_never_by_its_words(
    services: Services, capfd: pytest.CaptureFixture[str]
) -> None:
    async def crashing() -> None:
        raise RuntimeError(PERSONAL["family_name"])

    server = server_for(services, "127.0.0.1", 0)
    server.config.app.add_api_route("/crash", crashing)  # type: ignore[union-attr]  # it is ours
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        answer = httpx2.get(f"http://127.0.0.1:{port}/crash")
    finally:
        server.should_exit = True
        thread.join()

    assert answer.status_code == 500
    assert found_in(answer.content) == []
    told = capfd.readouterr()
    assert "RuntimeError" in told.out
    assert found_in(told.out + told.err) == []


def test_no_address_can_name_a_person(broker: Broker) -> None:
    for path, methods in broker.app.openapi()["paths"].items():
        for method in methods.values():
            for each in method.get("parameters", ()):
                if each["in"] == "path":
                    assert each["name"] in OURS | OF_THE_LOG | OF_THE_REGISTER, path
                elif each["in"] == "query":
                    assert each["name"] in QUERIES, path


def test_a_canary_would_be_found() -> None:
    for name, canary in PERSONAL.items():
        assert name in found_in(f"... {canary.upper()} ...")
    assert found_in("nothing of the kind") == []
