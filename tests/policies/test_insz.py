import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.insz import adds_up, check_insz


def number(nine: str, *, born_from_2000: bool) -> str:
    return f"{nine}{97 - int(('2' if born_from_2000 else '') + nine) % 97:02}"


@pytest.mark.parametrize(
    "text", ["09651490230", "94630290493", "89712190159", "01663090664", "86611790344"]
)
def test_a_test_number_is_known_as_one(text: str) -> None:
    insz = check_insz(text)

    assert insz is not None
    assert (insz.digits, insz.is_test, insz.is_bis) == (text, True, False)


def test_dots_dashes_and_spaces_are_taken_off() -> None:
    insz = check_insz("94.63.02-904.93")

    assert insz is not None
    assert insz.digits == "94630290493"
    assert check_insz("94/63/02-904.93") is None


@pytest.mark.parametrize("month", ["20", "21", "32", "40", "41", "52"])
def test_a_bis_number_is_known_as_one(month: str) -> None:
    insz = check_insz(number(f"85{month}12123", born_from_2000=False))

    assert insz is not None
    assert (insz.is_test, insz.is_bis) == (False, True)


def test_a_number_of_the_register_is_neither_test_nor_bis() -> None:
    insz = check_insz(number("850730033", born_from_2000=False))

    assert insz is not None
    assert (insz.is_test, insz.is_bis) == (False, False)


def test_the_check_digits_tell_the_century() -> None:
    leap = "000229001"

    assert check_insz(number(leap, born_from_2000=True)) is not None
    assert check_insz(number(leap, born_from_2000=False)) is None


@pytest.mark.parametrize(
    "nine", ["850013123", "850000123", "850700123"], ids=["month", "both", "day"]
)
def test_a_birth_date_may_be_unknown_in_part(nine: str) -> None:
    assert check_insz(number(nine, born_from_2000=False)) is not None


@pytest.mark.parametrize("nine", ["856012123", "856100123", "857301123", "851301123", "850732123"])
def test_a_date_that_cannot_be_is_no_number(nine: str) -> None:
    assert check_insz(number(nine, born_from_2000=False)) is None


@pytest.mark.parametrize(
    "text", ["", "9463029049", "946302904933", "9463029049O", "94630290494", "٩٤٦٣٠٢٩٠٤٩٣"]
)
def test_what_has_not_the_shape_or_the_sum_is_no_number(text: str) -> None:
    assert check_insz(text) is None


@given(st.from_regex(r"[0-9]{9}", fullmatch=True), st.booleans(), st.integers(0, 10))
def test_one_wrong_digit_never_adds_up_in_the_same_century(
    nine: str,
    born_from_2000: bool,  # noqa: FBT001 - drawn, not passed
    at: int,
) -> None:
    good = number(nine, born_from_2000=born_from_2000)
    bad = good[:at] + str((int(good[at]) + 1) % 10) + good[at + 1 :]
    prefix = "2" if born_from_2000 else ""

    assert adds_up(good)
    assert 97 - int(prefix + bad[:9]) % 97 != int(bad[9:])


@given(st.text(max_size=20))
def test_no_text_makes_it_fail(text: str) -> None:
    insz = check_insz(text)

    assert insz is None or re.fullmatch("[0-9]{11}", insz.digits)
