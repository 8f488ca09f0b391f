"""Codes for letters and messages: readable aloud, bound to one act, and few tries."""

import pytest

from consent.codes import ALPHABET, LENGTH, MOST_TRIES, Code, Codes, code_in, make, worn_out

KEY = bytes(range(32))


def test_a_code_is_eight_characters_of_which_none_is_mistaken_for_another() -> None:
    made = make()

    assert len(made.text) == LENGTH
    assert set(made.text) <= set(ALPHABET)
    assert not set("ILOU") & set(ALPHABET)
    assert len(ALPHABET) == len(set(ALPHABET)) == 32


def test_codes_do_not_come_twice() -> None:
    assert len({make().text for _ in range(100)}) == 100


FOREIGN = ("7K4M\u00a02QX\uff10", "\u0667K\u0664M\u2013\u0662QX\u0660", "\u200f7K4M\u20112QX0")


@pytest.mark.parametrize("typed", ["7K4M-2QX0", "7k4m2qxo", " 7K4M 2QXO ", "7K4M-2QX-O", *FOREIGN])
def test_a_code_is_read_as_people_write_it(typed: str) -> None:
    assert code_in(typed) == Code("7K4M2QX0")


def test_i_and_l_are_read_as_one() -> None:
    assert code_in("ilIL-0000") == Code("11110000")


@pytest.mark.parametrize("typed", ["", "7K4M-2QX", "7K4M-2QXAA", "7K4M-2QXU", "7K4M-2QXé"])
def test_what_can_not_be_a_code_is_none(typed: str) -> None:
    assert code_in(typed) is None


def test_a_code_is_printed_in_two_halves_and_never_by_accident() -> None:
    code = Code("7K4M2QXA")

    assert code.shown == "7K4M-2QXA"
    assert "7K4M" not in f"{code!r} {code}"


def test_a_code_fits_only_the_thing_and_the_act_it_was_made_for() -> None:
    codes, code = Codes(KEY, "confirmation"), Code("7K4M2QXA")
    kept = codes.digest("c-1", code)

    assert codes.fits("c-1", code, kept)
    assert not codes.fits("c-2", code, kept)
    assert not codes.fits("c-1", Code("7K4M2QXB"), kept)
    assert not Codes(KEY, "withdrawal").fits("c-1", code, kept)
    assert not Codes(KEY[::-1], "confirmation").fits("c-1", code, kept)


def test_the_tries_are_counted_out() -> None:
    assert not worn_out(MOST_TRIES - 1)
    assert worn_out(MOST_TRIES)
