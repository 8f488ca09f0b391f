from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from audit import leaf, log, parts, sealing
from tests.audit.log_builders import (
    ANN,
    BEN,
    NOON,
    POLICY,
    Ring,
    add,
    begin,
    given,
    record,
    refused,
    released,
)


@pytest.mark.case("AL20")
def test_al20_a_batch_that_is_run_again_seals_nothing_twice(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, sealed = Ring(), list[tuple[bytes, ...]]()
    head = begin(connection, keys)
    batch = record([released(ANN), released(ANN), refused(""), refused("")])

    def watched(mac: parts.Mac, label: bytes, event_id: bytes, text: bytes) -> Any:
        sealed.append((mac.digest(b"which key"), label, event_id))
        return parts.seal(mac, label, event_id, text)

    monkeypatch.setattr(sealing, "seal", watched)
    for _ in range(3):
        with connection.begin_nested() as attempt:
            log.append(connection, batch, after=head, at=NOON, keys=keys, policy=POLICY)
            attempt.rollback()

    assert len(sealed) == 3 * 4 * 3
    assert len(set(sealed)) == len(sealed)


def test_event_ids_are_uuids_of_version_7_at_their_time_and_never_alike() -> None:
    ids = sealing.fresh_event_ids(1_790_000_000_123, 5_000)

    texts = {sealing.text_of(each) for each in ids}

    assert len(texts) == 5_000
    for text in texts:
        assert str(UUID(text)) == text
        assert (UUID(text).version, UUID(text).variant) == (7, UUID(ANN).variant)
        assert UUID(text).int >> 80 == 1_790_000_000_123


@pytest.mark.case("AL25")
def test_al25_no_refusal_can_be_told_from_another_by_its_leaf(connection: Connection) -> None:
    keys = Ring()
    head = add(connection, keys, begin(connection, keys), [given(ANN), released(ANN)])
    reasons = ["NO_CONSENT", "CONSENT_WITHDRAWN", "EXPLICIT_DENIAL", "CONSENT_EXPIRED"]
    trace = (("a_consent_stands", "CONSENT_WITHDRAWN"),)
    known = [refused(ANN, each, trace=trace, consents=("c-1",)) for each in reasons]
    unknown = [refused("", "UNKNOWN_CLIENT", provider=None) for _ in range(4)]

    add(connection, keys, head, [*known, *unknown])

    raw = [each for _, each in log.entries(connection, shard=0, start=3)]
    bodies = [leaf.read(each) for each in raw]
    assert len(raw) == 8
    assert len({len(each) for each in raw}) == 1
    alike = [
        {key: value for key, value in body.items() if key not in {"id", "q", "x"}}
        for body in bodies
    ]
    assert all(each == alike[0] for each in alike)


@pytest.mark.case("AL25")
def test_al25_ten_thousand_refusals_are_all_of_one_length(connection: Connection) -> None:
    keys = Ring()
    head = add(connection, keys, begin(connection, keys), [given(ANN), given(BEN)])
    reasons = ["NO_CONSENT", "CONSENT_WITHDRAWN", "EXPLICIT_DENIAL", "HARD_RULE_H10", "X"]
    whom = [ANN, BEN, ""]
    events = [
        refused(
            whom[n % 3],
            reasons[n % 5],
            provider=None if n % 3 == 2 else "leerwinkel-wvl",
            case_reference="z" * (n % 50) or None,
        )
        for n in range(10_000)
    ]

    add(connection, keys, head, events)

    entries = log.entries(connection, shard=0, start=3)
    assert Counter(len(raw) for _, raw in entries) == {453: 10_000}
