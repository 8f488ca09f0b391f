"""One text for each value."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.security.base64url import decoded, encoded


@given(st.binary(max_size=100))
def test_what_is_encoded_is_decoded_again(data: bytes) -> None:
    assert decoded(encoded(data)) == data
    assert encoded(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")


@given(st.text(alphabet="AQgw019_-+/=! \n", max_size=12))
def test_no_two_texts_give_the_same_bytes(text: str) -> None:
    try:
        data = decoded(text)
    except ValueError:
        return
    assert encoded(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "AA=", "A A", "AA\n", "+/+/", "é", "AAAAA"])
def test_any_other_way_of_writing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        decoded(text)
