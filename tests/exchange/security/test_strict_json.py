"""What a reader of JSON refuses to guess at."""

import json
import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.security.strict_json import JsonFault, NotJson, read_json

LIMITS = {"max_bytes": 262_144, "max_depth": 32}


def read(raw: bytes) -> object:
    return read_json(raw, **LIMITS)


def fault(raw: bytes) -> JsonFault:
    with pytest.raises(NotJson) as refused:
        read(raw)
    return refused.value.code


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "",
        0,
        -1.5,
        None,
        True,
        {"a": [1, {"b": "c\n\td"}], "naïve": "Zoë", "emoji": "🙂", "quote": 'a "b" \\ c/'},
    ],
    ids=str,
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_an_ordinary_document_is_read_as_any_reader_would(
    value: object, *, ascii_only: bool
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=2).replace("\n", "\r\n").encode()

    assert read(raw) == value


@pytest.mark.case("T82")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, JsonFault.TOO_DEEP, id="a"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, JsonFault.TOO_DEEP, id="b"),
        pytest.param(b"1" * 5_000, JsonFault.NUMBER_TOO_LONG, id="c"),
        pytest.param(b'{"a": NaN}', JsonFault.NOT_A_FINITE_NUMBER, id="d"),
        pytest.param('{"a": "é"}'.encode("utf-16"), JsonFault.NOT_UTF8, id="e"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', JsonFault.BYTE_ORDER_MARK, id="f"),
        pytest.param(b'{"a": "\\ud800"}', JsonFault.FORBIDDEN_CHARACTER, id="g"),
        pytest.param(b'{"a": "\\u0000"}', JsonFault.FORBIDDEN_CHARACTER, id="h"),
        pytest.param(b'{"' + b"k" * 1_000_000 + b'": 1}', JsonFault.TOO_LARGE, id="i"),
        pytest.param(b'{"a": 1, "a": 2}', JsonFault.DUPLICATE_MEMBER, id="j"),
        pytest.param(
            json.dumps(dict.fromkeys(map(str, range(20_000)), 0)).encode(),
            JsonFault.TOO_MANY_MEMBERS,
            id="k",
        ),
        pytest.param(
            '{"caf\u00e9": 1, "cafe\u0301": 2}'.encode(), JsonFault.NOT_NORMALISED, id="l"
        ),
        pytest.param('{"a": "\u202eevil"}'.encode(), JsonFault.FORBIDDEN_CHARACTER, id="m"),
        pytest.param('{"a": "ad\u200bmin"}'.encode(), JsonFault.FORBIDDEN_CHARACTER, id="n"),
    ],
)
def test_t82_a_document_that_two_readers_could_read_differently_is_refused(
    raw: bytes, code: JsonFault
) -> None:
    assert fault(raw) == code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", JsonFault.MALFORMED),
        (b"{", JsonFault.MALFORMED),
        (b'{"a": 1} x', JsonFault.MALFORMED),
        (b"{'a': 1}", JsonFault.MALFORMED),
        (b'{"a": 1,}', JsonFault.MALFORMED),
        (b"01", JsonFault.MALFORMED),
        (b'"a\nb"', JsonFault.MALFORMED),
        (b'"a\x00b"', JsonFault.MALFORMED),
        (b'{"a": "b\\', JsonFault.MALFORMED),
        ('{"a": 1}'.encode("utf-16-le"), JsonFault.MALFORMED),
        (b'"\xed\xa0\x80"', JsonFault.NOT_UTF8),
        (b'"\xc0\xaf"', JsonFault.NOT_UTF8),
        (b'{"a": {"b": 1, "b": 1}}', JsonFault.DUPLICATE_MEMBER),
        (b'{"a": 1, "\\u0061": 2}', JsonFault.DUPLICATE_MEMBER),
        (b'{"' + b"k" * 257 + b'": 1}', JsonFault.NAME_TOO_LONG),
        (b"-Infinity", JsonFault.NOT_A_FINITE_NUMBER),
        (b"1e400", JsonFault.NOT_A_FINITE_NUMBER),
        (b"0." + b"1" * 40, JsonFault.NUMBER_TOO_LONG),
        (b'"a\x7fb"', JsonFault.FORBIDDEN_CHARACTER),
        (b'"a\\rb"', JsonFault.FORBIDDEN_CHARACTER),
        (b'"a\\u001bb"', JsonFault.FORBIDDEN_CHARACTER),
        (b'{"a\\u202e": 1}', JsonFault.FORBIDDEN_CHARACTER),
        (b'[["\\ufeff"]]', JsonFault.FORBIDDEN_CHARACTER),
        ('"\u0085"'.encode(), JsonFault.FORBIDDEN_CHARACTER),
        ('{"a": "cafe\u0301"}'.encode(), JsonFault.NOT_NORMALISED),
        (b'{"a": "cafe\\u0301"}', JsonFault.NOT_NORMALISED),
        (b'{"cafe\\u0301": 1}', JsonFault.NOT_NORMALISED),
    ],
    ids=repr,
)
def test_what_is_wrong_is_named_by_a_code_and_nothing_of_it_is_repeated(
    raw: bytes, code: JsonFault
) -> None:
    with pytest.raises(NotJson) as refused:
        read(raw)

    assert refused.value.code == code
    assert str(refused.value) == code.value


def test_depth_counts_brackets_and_not_what_strings_contain() -> None:
    deep_string = json.dumps({"a": "[{" * 100 + '"\\' + "[" * 100}).encode()

    assert read_json(b"[[[[1]]]]", max_bytes=99, max_depth=4) == [[[[1]]]]
    assert read(deep_string) == json.loads(deep_string)
    assert read(b"[" + b"[1]," * 100 + b"1]") == [[1]] * 100 + [1]
    with pytest.raises(NotJson, match="too-deep"):
        read_json(b"[[[[[1]]]]]", max_bytes=99, max_depth=4)


def test_every_limit_lets_its_last_value_pass() -> None:
    raw = b'{"ab": 123, "b": 1.5}'
    exact = {"max_depth": 1, "max_members": 2, "max_number_digits": 3, "max_key": 2}

    assert read_json(raw, max_bytes=len(raw), **exact) == {"ab": 123, "b": 1.5}
    for name, limit in exact.items():
        with pytest.raises(NotJson):
            read_json(raw, max_bytes=len(raw), **(exact | {name: limit - 1}))
    with pytest.raises(NotJson, match="too-large"):
        read_json(raw, max_bytes=len(raw) - 1, **exact)


@pytest.mark.parametrize(
    "raw",
    [
        b'"' + b'\\"' * 130_000,
        b"[" * 40 + b'"\\' * 100_000,
        b'"[' * 87_000,
        b"[" * 40 + b'\\"' * 100_000,
        b"9" * 262_000,
    ],
    ids=["quotes", "escapes", "brackets", "stray", "digits"],
)
def test_no_document_takes_a_time_out_of_proportion_to_its_size(raw: bytes) -> None:
    began = time.process_time()

    fault(raw)

    assert time.process_time() - began < 0.5


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_nothing_but_its_own_error_escapes(raw: bytes) -> None:
    try:
        value = read(raw)
    except NotJson:
        return
    assert value == json.loads(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@given(JSON, st.sampled_from([True, False]))
def test_a_document_of_plain_text_is_read_whole_and_one_with_hidden_characters_not_at_all(
    value: object, ascii_only: object
) -> None:
    raw = json.dumps(value, ensure_ascii=bool(ascii_only)).encode("utf-8", "surrogatepass")
    strings = list(_strings(value))
    categories = {unicodedata.category(each) for each in "".join(strings) if each not in "\n\t"}
    normal = all(unicodedata.is_normalized("NFC", each) for each in strings)

    if categories & {"Cc", "Cs"} or not normal:
        fault(raw)
    elif "Cf" not in categories:
        assert read(raw) == value


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, list | dict):
        for each in value:
            yield from _strings(each)
    if isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
