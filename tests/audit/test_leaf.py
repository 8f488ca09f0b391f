import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import leaf
from audit.leaf import NotALeaf
from tests.audit.log_builders import POLICY, VECTORS

REQUEST = "a8b3aee3-9c7d-4007-ad66-093b8acf91ed"
EVENT_ID = "01a0c450-6fe8-7f10-bf71-22ca2317b336"
REFUSE: list[dict[str, Any]] = json.loads((VECTORS / "overdracht-audit-v1.json").read_text())[
    "leaves_to_refuse"
]


def stated(**changes: Any) -> leaf.Stated:
    said: dict[str, Any] = {
        "application": "desk",
        "consumer": "vdab-gent",
        "provider": "leerwinkel",
        "purpose": "P2",
        "sections": ("goals", "contact"),
    }
    kind, outcome = changes.pop("kind", "consent.given"), changes.pop("outcome", "ok")
    return leaf.state(kind, outcome, **(said | changes))


def written(said: leaf.Stated) -> bytes:
    seals = b"".join(bytes([number]) * 32 + b"\x00" for number in (1, 2, 3))
    return leaf.person_leaf(
        said, event_id=EVENT_ID, policy=POLICY, request=REQUEST, t=1, commitments=seals
    )


def values(kind: str, **changes: Any) -> dict[str, Any]:
    """A leaf of a kind as the table of kinds has it, changed as the test wants."""
    known = leaf.KINDS[kind]
    outcome = "error:TIMEOUT" if known.outcome == "error" else known.outcome
    body: dict[str, Any] = {"v": 1, "id": EVENT_ID, "t": 1, "k": kind, "o": outcome}
    if known.extra:
        numbers = {"epoch", "prev_size", "lost_from", "lost_to", "n", "from", "to", "min"}
        numbers |= {"quar", "rej"}
        return body | {"e": {k: 1 if k in numbers else "x" for k in known.extra[0]}} | changes
    public = {"ap": "app:a", "c": "org:c", "d": ["s"], "p": "org:p", "u": "P1"}
    seals = dict.fromkeys("asy", "A" * 43)
    return body | public | {"pv": POLICY, "q": REQUEST, "x": seals} | changes


def refused(body: dict[str, Any]) -> str:
    with pytest.raises(NotALeaf) as caught:
        leaf.read(leaf.canon(body))
    return str(caught.value)


def test_there_are_46_leaves_to_refuse() -> None:
    assert len(REFUSE) == 46


@pytest.mark.parametrize("case", REFUSE, ids=lambda case: case["why"])
def test_a_leaf_that_is_not_of_version_1_is_refused(case: dict[str, Any]) -> None:
    if "leaf_hex" in case:
        raw = bytes.fromhex(case["leaf_hex"])
    elif "leaf_repeat" in case:
        raw = case["leaf_repeat"][0].encode() * case["leaf_repeat"][1]
    else:
        raw = case["leaf"].encode()

    with pytest.raises(NotALeaf):
        leaf.read(raw)


def test_every_golden_leaf_is_read_and_written_again_byte_for_byte(
    golden: dict[str, Any],
) -> None:
    assert len(golden["items"]) == 8
    for item in golden["items"]:
        raw = bytes.fromhex(item["leaf_hex"])

        body = leaf.read(raw)

        assert len(raw) == item["leaf_len"]
        assert raw == item["leaf"].encode() == leaf.canon(body)
        assert rewritten(body) == raw


def rewritten(body: dict[str, Any]) -> bytes:
    if leaf.KINDS[body["k"]].extra:
        request = body.get("q", "")
        return leaf.log_leaf(
            body["k"], body["e"], event_id=body["id"], t=body["t"], request=request
        )
    said = leaf.state(
        body["k"],
        body["o"],
        application=body["ap"],
        consumer=body["c"],
        provider=body["p"],
        purpose=body["u"],
        sections=tuple(body["d"]),
    )
    seals = b"".join(decoded(body["x"][label]) + b"\x00" for label in "asy")
    return leaf.person_leaf(
        said,
        event_id=body["id"],
        policy=body["pv"],
        request=body["q"],
        t=body["t"],
        commitments=seals,
    )


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=")


@pytest.mark.parametrize("kind", leaf.KINDS)
def test_every_kind_in_the_table_can_be_read(kind: str) -> None:
    body = values(kind)

    assert leaf.read(leaf.canon(body)) == body


@pytest.mark.parametrize("kind", leaf.KINDS)
def test_no_kind_may_lack_or_add_a_key(kind: str) -> None:
    body = values(kind)

    for key in leaf.KINDS[kind].required:
        refused({name: value for name, value in body.items() if name != key})
    refused(body | {"z": 1})
    refused(body | {"o": "ok" if body["o"] != "ok" else "permit"})


def test_a_failure_says_in_its_outcome_what_failed() -> None:
    assert leaf.read(leaf.canon(values("notice.undelivered", o="error:TIMEOUT")))
    refused(values("notice.undelivered", o="error"))
    refused(values("notice.undelivered", o="error:"))
    refused(values("notice.delivered", o="error:TIMEOUT"))


def test_a_log_opened_after_a_fork_names_the_log_before_it() -> None:
    lost = {"prev_size": 9, "lost_from": 7, "lost_to": 9, "epoch": 2}
    named = {"prev": "x/s0e1", "prev_root": "r", "prev_ck": "c", "reason": "restore"}

    assert leaf.read(leaf.canon(values("log.opened", e=lost | named)))
    refused(values("log.opened", e=lost))


def test_a_log_kind_may_name_a_request_and_an_actor_and_nothing_personal() -> None:
    more = {"q": REQUEST, "x": {"a": "A" * 43}}

    assert leaf.read(leaf.canon(values("admin.started", **more)))
    refused(values("admin.started", x={"a": "A" * 43, "s": "A" * 43}))
    refused(values("admin.started", x=["A" * 43]))
    refused(values("admin.started", q="x"))
    refused(values("admin.started", ap="app:a"))


@pytest.mark.parametrize(
    "changes",
    [
        {"d": ["s"] * 2},
        {"d": [f"s{number:02}" for number in range(65)]},
        {"d": [1]},
        {"d": "s"},
        {"u": 1},
        {"u": "x" * 129},
        {"u": ""},
        {"ap": "desk"},
        {"ap": "app:"},
        {"c": "app:c"},
        {"t": -1},
        {"v": 2},
        {"id": REQUEST},
        {"id": 7},
        {"q": EVENT_ID},
        {"pv": "A" * 44},
        {"pv": 1},
        {"x": dict.fromkeys("asy", "A" * 42 + "B")},
        {"x": dict.fromkeys("asy", 1)},
        {"k": 1},
        {"k": "consent.invented"},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_sort_is_refused(changes: dict[str, Any]) -> None:
    refused(values("consent.given") | changes)


def test_the_public_values_of_a_log_kind_are_numbers_or_codes() -> None:
    def imported(**more: Any) -> dict[str, Any]:
        return {"adapter": "csv", "drop": 0, "n": 1, "quar": 0, "rej": 0} | more

    assert leaf.read(leaf.canon(values("intake.imported", e=imported())))
    assert leaf.read(leaf.canon(values("intake.imported", e=imported(drop="PR-001-7"))))
    refused(values("intake.imported", e=imported(n="1")))
    refused(values("intake.imported", e=imported(drop=-1)))
    refused(values("intake.imported", e=imported(adapter=1)))
    refused(values("intake.imported", e=imported(adapter="two words")))
    refused(values("intake.imported", e=imported(adapter="x" * 4097)))
    refused(values("intake.imported", e=[imported()]))


def test_nesting_without_end_is_refused_like_anything_else() -> None:
    with pytest.raises(NotALeaf):
        leaf.read(b"[" * 65_535)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_reader_raise_anything_of_its_own(raw: bytes) -> None:
    try:
        body = leaf.read(raw)
    except NotALeaf:
        return
    assert leaf.canon(body) == raw


@given(st.integers(0, 455), st.integers(1, 255))
def test_a_changed_byte_never_reads_as_the_same_leaf(at: int, by: int) -> None:
    raw = bytearray(written(stated()))
    before = leaf.read(bytes(raw))
    raw[at % len(raw)] ^= by

    try:
        after = leaf.read(bytes(raw))
    except NotALeaf:
        return
    assert after != before


CODE = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,99}\Z")
OPTIONAL = st.none() | CODE


@given(CODE, OPTIONAL, OPTIONAL, OPTIONAL, st.none() | st.lists(CODE, min_size=1, max_size=9))
def test_what_is_written_piece_by_piece_is_the_canonical_form(
    application: str,
    consumer: str | None,
    provider: str | None,
    purpose: str | None,
    sections: list[str] | None,
) -> None:
    said = stated(
        application=application,
        consumer=consumer,
        provider=provider,
        purpose=purpose,
        sections=None if sections is None else tuple(sections),
    )

    body = leaf.read(written(said))

    assert body.get("d") == (None if sections is None else sorted(set(sections)))
    assert (body["ap"], body.get("c"), body.get("p"), body.get("u")) == said[1:5]


def test_names_are_given_with_or_without_their_prefix() -> None:
    bare, full = stated(), stated(application="app:desk", provider="org:leerwinkel")

    assert bare == full
    assert bare.application == "app:desk"
    assert bare.provider == "org:leerwinkel"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "summary.refused", "outcome": "deny", "consumer": None},
        {"kind": "summary.refused", "outcome": "deny", "sections": ()},
        {"kind": "consent.given", "outcome": "deny"},
        {"kind": "consent.invented"},
        {"kind": "admin.started"},
        {"purpose": "P 2"},
        {"provider": "Leerwinkel é"},
    ],
    ids=str,
)
def test_an_event_that_could_not_be_read_back_is_never_stated(changes: dict[str, Any]) -> None:
    with pytest.raises(NotALeaf):
        stated(**changes)


def test_public_values_are_checked_before_they_are_written() -> None:
    leaf.check_extra("auth.failures", {"n": 3, "app": "app:x"})
    for kind, extra in (
        ("auth.failures", {"n": 3}),
        ("consent.given", {"n": 3}),
        ("x.y", {}),
    ):
        with pytest.raises(NotALeaf):
            leaf.check_extra(kind, extra)


def test_a_log_leaf_carries_the_commitment_to_its_actor() -> None:
    raw = leaf.log_leaf(
        "admin.started", {"ver": "1", "cfg": "c"}, event_id=EVENT_ID, t=5, actor=b"\x01" * 32
    )

    assert leaf.read(raw)["x"] == {"a": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}
