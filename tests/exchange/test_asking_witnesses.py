"""A host asks the witnesses what they know while another one goes on signing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.high_water import HighWater
from audit.policy import read_policy
from audit.witnessing import Answer
from exchange.admission import Admission
from exchange.checkpointing import Checkpointing, Silence
from exchange.flows.freeze_log import freeze_log
from exchange.services import Services, build_services
from exchange.settings import Settings
from exchange.witnesses import Witnesses, over_http
from tests.builders import Clock
from tests.exchange.commands import PATIENCE, note
from tests.exchange.test_witnesses import Helper


@pytest.fixture
def helper(tmp_path: Path, clock: Clock) -> Iterator[Helper]:
    made = Helper(tmp_path, "clinic", clock)
    yield made
    made.stop()


@pytest.fixture
def signing(settings: Settings, clock: Clock, tmp_path: Path, helper: Helper) -> Iterator[Services]:
    policy = tmp_path / "policy"
    policy.write_text(f"{helper.line}quorum clinic\n")
    given = settings.model_copy(update={"witness_policy": str(policy)})
    services = build_services(given, clock=clock)
    helper.start(services.checkpointing.vkeys)
    services.checkpointing.once()
    yield services
    services.close()


def test_a_head_that_was_signed_while_the_witnesses_were_asked_stops_nobody(
    signing: Services, helper: Helper, tmp_path: Path
) -> None:
    asked = []

    def call(url: str, body: bytes | None) -> Answer:
        asked.append(url)
        signing.writer.submit(note, "meanwhile").result(PATIENCE)
        assert signing.checkpointing.once() is not None
        return over_http(url, body)

    admission = Admission(always={freeze_log})
    other = Checkpointing(
        signing.database,
        signing.writer,
        admission,
        high_water=HighWater(tmp_path / "signed-elsewhere.json"),
        seen=HighWater(tmp_path / "seen-by-the-other.json"),
        keys=(),
        witnesses=Witnesses(read_policy(f"{helper.line}quorum clinic\n"), call=call),
        silence=Silence(),
        clock=signing.clock,
    )

    other.look()

    assert len(asked) == 1
    assert admission.frozen is None
    signing.writer.submit(note, "goes-on").result(PATIENCE)
    other.close()
