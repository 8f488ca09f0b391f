"""What a mirror shows is believed when log and witnesses have signed it, and no sooner."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from audit.mirror import MirrorRefused, mirrored_head, mirrored_leaves
from audit.policy import read_policy
from tests.audit.bundles import POLICY_TEXT, note_of, note_over, policy_for
from tests.audit.log_builders import Ring, a_log

POLICY = read_policy(POLICY_TEXT)
VKEYS = [each.key.text for each in POLICY.logs]


def test_a_head_that_log_and_witnesses_signed_is_believed(connection: Connection) -> None:
    head = a_log(connection, Ring())
    note = note_of(connection)

    assert mirrored_head(lambda _: note, VKEYS, POLICY).size == head.size


@pytest.mark.case("AL05")
@pytest.mark.parametrize("by", [(), ("one",), ("two",)])
def test_al05_a_head_without_the_quorum_is_not(by: tuple[str, ...]) -> None:
    note = note_over(3, bytes(32), by=by)

    with pytest.raises(MirrorRefused, match="fewer witnesses"):
        mirrored_head(lambda _: note, VKEYS, POLICY)


def test_a_head_that_another_key_signed_is_not() -> None:
    note = note_over(3, bytes(32), origin="other.example/audit/tlog/s0e1")
    others = read_policy(policy_for("other.example/audit/tlog/s0e1"))

    assert mirrored_head(lambda _: note, [others.logs[0].key.text], others).size == 3
    with pytest.raises(MirrorRefused, match="no checkpoint"):
        mirrored_head(lambda _: note, VKEYS, POLICY)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.data())
def test_leaves_are_read_from_anywhere_in_a_bundle(
    leaves: list[bytes], data: st.DataObject
) -> None:
    raw = b"".join(len(each).to_bytes(2, "big") + each for each in leaves)
    start = data.draw(st.integers(0, len(leaves)))

    found = list(mirrored_leaves(lambda _: raw, start, len(leaves)))

    assert found == leaves[start:]


@given(st.binary(max_size=2000), st.integers(1, 256))
def test_a_hostile_bundle_is_refused_and_nothing_worse(raw: bytes, stop: int) -> None:
    with suppress(MirrorRefused):
        assert len(list(mirrored_leaves(lambda _: raw, 0, stop))) == stop
