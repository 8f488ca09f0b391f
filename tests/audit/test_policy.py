"""A policy file says whose signatures count, in one way only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoints import new_note_key
from audit.notes import Algorithm
from audit.policy import NotAPolicy, Policy, read_policy
from tests.audit.log_builders import VECTORS


def vkey(name: str, algorithm: Algorithm = Algorithm.COSIGNATURE) -> str:
    return new_note_key(name, algorithm).vkey.text


W1, W2, W3, LOG = vkey("w1"), vkey("w2"), vkey("w3"), vkey("log", Algorithm.ED25519)
THREE = f"witness a {W1}\nwitness b {W2} https://b.example/w/\nwitness c {W3}\n"


def met(policy: Policy, *names: str) -> bool:
    return policy.met_by(names)


def test_the_golden_policy_asks_for_both_witnesses() -> None:
    golden = json.loads((VECTORS / "overdracht-audit-v1.json").read_text())

    policy = read_policy(golden["policy"])

    assert policy.logs[0].key.text == golden["signing"]["log"]["vkey"]
    assert policy.witnesses["clinic"].url == "https://witness.example/w1/"
    assert not met(policy, "clinic")
    assert not met(policy, "city", "stranger")
    assert met(policy, "clinic", "city")


def test_the_policy_of_the_specification_is_read_with_keys_in_it() -> None:
    text = json.loads((VECTORS / "c2sp" / "examples.json").read_text())["policy"]["text"]
    text = text.replace("log <vkey>", f"log {LOG}")
    for number in range(6):
        text = text.replace("<vkey>", vkey(f"w{number}"), 1)

    policy = read_policy(text)

    assert met(policy, "X1", "X3", "Y2")
    assert not met(policy, "X1", "Y1", "Y2", "Y3")
    assert not met(policy, "X1", "X2", "X3")


@pytest.mark.parametrize(
    ("least", "enough", "short"),
    [("any", ("b",), ()), ("2", ("a", "c"), ("c",)), ("all", ("a", "b", "c"), ("a", "b"))],
)
def test_a_group_needs_as_many_as_it_says(
    least: str, enough: tuple[str, ...], short: tuple[str, ...]
) -> None:
    policy = read_policy(f"{THREE}group g {least} a b c\nquorum g\n")

    assert met(policy, *enough)
    assert not met(policy, *short)


def test_a_quorum_may_be_one_witness_or_none_at_all() -> None:
    assert met(read_policy(f"{THREE}quorum b\n"), "b")
    assert not met(read_policy(f"{THREE}quorum b\n"), "a", "c")
    assert met(read_policy("# nobody\n\t\nquorum none"))


def test_blanks_and_tabs_part_the_words_and_comments_are_passed_over() -> None:
    policy = read_policy(f"# all of them\n  witness\ta  {W1} \n\nquorum \t a\n  # the end")

    assert list(policy.witnesses) == ["a"]
    assert policy.named(policy.witnesses["a"].key) == "a"
    assert policy.named(read_policy(THREE + "quorum b").witnesses["b"].key) is None


REFUSED = {
    "there is no quorum": "",
    "there is one quorum": "quorum none\nquorum none",
    "one name": "quorum a b",
    "not defined before": "quorum a",
    "neither": "wait a",
    "a log has": "log\nquorum none",
    "a witness has": "witness a\nquorum none",
    "a group has": f"{THREE}group g any\nquorum g",
    "defined before": "group g any a\nquorum g",
    "taken": f"witness a {W1}\nwitness a {W2}\nquorum a",
    "name that is taken": f"witness none {W1}\nquorum none",
    "stands here already": f"witness a {W1}\nwitness b {W1}\nquorum a",
    "a key that stands": f"log {LOG}\nlog {LOG}\nquorum none",
    "has a group already": f"{THREE}group g any a b\ngroup h any a\nquorum h",
    "group already": f"{THREE}group g any a a\nquorum g",
    "any, all, or a number": f"{THREE}group g 4 a b c\nquorum g",
    "or a number": f"{THREE}group g 0 a\nquorum g",
    "needs any": f"{THREE}group g -1 a\nquorum g",
    "not a verifier key": f"witness a {W1[:-2]}\nquorum a",
    "its id is not": f"witness a x{W1}\nquorum a",
    "without a time": f"witness a {LOG}\nquorum a",
    "not an address": f"witness a {W1} ftp://b.example\nquorum a",
    "control character": f"witness a {W1}\r\nquorum a",
    "line 2": f"witness a {W1}\nwait",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_policy_is_refused_with_its_reason(words: str) -> None:
    with pytest.raises(NotAPolicy, match=words):
        read_policy(REFUSED[words])


WORDS = ["log", "witness", "group", "quorum", "any", "a", "b", "none", "2", "#", "https://x"]


@given(st.lists(st.sampled_from([*WORDS, "\n", "\t", " ", "\x00", W1, LOG])))
def test_whatever_is_read_raises_nothing_but_our_own(words: list[str]) -> None:
    for text in (" ".join(words), "".join(words), f"{THREE}{' '.join(words)}\nquorum a"):
        try:
            policy = read_policy(text)
        except NotAPolicy:
            continue
        assert isinstance(met(policy, "a"), bool)
