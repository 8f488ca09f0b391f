"""A receipt is the log's word on one entry, in one form, under a key of its own."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from audit import verify
from audit.checkpoints import new_note_key, sign_note
from audit.receipts import Receipt, open_receipt, read_receipt, receipt_key, receipt_note
from tests.audit.bundles import ORIGIN, POLICY_TEXT, note_of, range_of, source_of
from tests.audit.log_builders import EPOCH_OF_NOON, Ring, a_log

RECEIPT = Receipt("broker.example/audit/tlog/s0e1", 3, b"\x07" * 32, 1_790_000_002_250_000)


def test_the_golden_receipt_is_built_and_read(golden: dict[str, Any]) -> None:
    seed = bytes.fromhex(golden["signing"]["receipt"]["seed_hex"])
    key = receipt_key("broker.example/audit/tlog/s0e1", seed)

    found = open_receipt(golden["receipt"], key.vkey.text)

    assert key.vkey.text == golden["signing"]["receipt"]["vkey"]
    assert found is not None
    assert found.index == 3
    assert found.leaf_hash.hex() == golden["tree"]["leaf_hashes_hex"][3]
    assert receipt_note(found, key) == golden["receipt"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("/v1\n", "/v2\n"), ("\n3\n", "\n03\n"), ("\n3\n", "\n-3\n"), ("\n60\n", "\n60\n\n"),
     ("\n60\n", "\n"), ("\n60\n", "\nsoon\n"), ("BwcH", "Bw"), ("\n60\n", "\n60"),
     ("broker.example/audit/tlog/s0e1\n", "\n")],
)  # fmt: skip
def test_what_is_not_its_one_form_is_no_receipt(old: str, new: str) -> None:
    assert read_receipt(RECEIPT.text) == RECEIPT

    changed = RECEIPT.text.replace(old, new, 1)

    assert changed != RECEIPT.text
    assert read_receipt(changed) is None


def test_the_key_of_another_log_makes_no_receipt_of_this_one() -> None:
    other = receipt_key("other.example/audit/tlog/s0e1", bytes(32))
    named = new_note_key(RECEIPT.origin)

    for key in (other, named):
        assert open_receipt(sign_note(key, RECEIPT.text), key.vkey.text) is None


@given(
    st.builds(
        Receipt,
        st.from_regex(r"[a-z./0-9]{1,40}", fullmatch=True),
        st.integers(0, 10**16 - 1),
        st.binary(min_size=32, max_size=32),
        st.integers(0, 10**16 - 1),
        st.integers(0, 10**6),
    )
)
def test_the_broker_and_the_verifier_read_the_same(receipt: Receipt) -> None:
    assert read_receipt(receipt.text) == receipt
    assert tuple(verify.read_receipt(receipt.text)) == tuple(receipt)


@pytest.mark.case("AL09")
@pytest.mark.parametrize(("late", "contradicts"), [(361, True), (359, False)])
def test_al09_a_head_signed_after_the_time_that_lacks_the_entry_breaks_the_promise(
    connection: Connection, tmp_path: Path, *, late: int, contradicts: bool
) -> None:
    keys = Ring()
    head = a_log(connection, keys)
    key = receipt_key(ORIGIN, bytes(32))
    note = receipt_note(Receipt(ORIGIN, head.size, bytes(32), EPOCH_OF_NOON), key)
    seen = note_of(connection, seen=EPOCH_OF_NOON // 1_000_000 + late)
    path = tmp_path / "bundle.odaudit"
    path.write_bytes(range_of(source_of(connection, keys, note=seen)))
    policy = POLICY_TEXT.replace("witness one", f"log {key.vkey.text}\nwitness one", 1)

    report = verify.verify_bundle(path, policy.encode(), (), [note.encode()])

    told = [(each.at, each.contradicts) for each in report.findings if each.code == "receipt"]
    assert told == [(head.size, contradicts)]


@given(st.text(max_size=60))
def test_nothing_is_read_from_what_is_none(text: str) -> None:
    whole = RECEIPT.text.replace(base64.b64encode(RECEIPT.leaf_hash).decode(), text)

    found = read_receipt(whole)

    assert found is None or found.text == whole
