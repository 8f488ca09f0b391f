"""The page on which anybody with a letter stops all sharing."""

import base64
import hashlib

import pytest

from exchange.quotas import CODE_TRIES
from exchange.web.stop import LANGUAGES, words
from tests.builders import Broker
from tests.exchange.recalling import WRONG, anybody, shared, states


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_page_stops_in_two_steps_without_a_script_and_names_nobody(broker: Broker) -> None:
    story, code = shared(broker)
    somebody = anybody(broker)
    asked = somebody.get("/stop")
    assert asked.text == somebody.get("/stop/nl").text
    for language in LANGUAGES:
        page = somebody.get(f"/stop/{language}")
        policy = page.headers["content-security-policy"]
        said = words(language)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        style = page.text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
        assert "<script" not in page.text
        assert f'<html lang="{language}" dir="{said["dir"]}">' in page.text
        assert said["title"] in page.text
        assert said.keys() == words("nl").keys()
        assert page.headers["cache-control"] == "no-store"
    assert words("ar")["dir"] == "rtl"
    assert somebody.get("/stop/xx").status_code == 404

    typo = somebody.post("/stop/fr", data={"code": "<b>7K4M"})
    wrong = somebody.post("/stop/fr", data={"code": WRONG})
    right = somebody.post("/stop/fr", data={"code": code})

    assert (typo.status_code, words("fr")["again"] in typo.text) == (422, True)
    assert "<b>7K4M" not in typo.text
    # Who believes that it has stopped, and it has not, is worse off than without the page.
    assert (wrong.status_code, words("fr")["unknown"] in wrong.text) == (422, True)
    assert words("fr")["stopped"] not in wrong.text
    assert (right.status_code, words("fr")["stopped"] in right.text) == (200, True)
    assert code not in right.text
    assert set(states(story)) == {"withdrawn"}
    over = [somebody.post("/stop/tr", data={"code": WRONG}) for _ in range(CODE_TRIES)]
    assert over[-1].status_code == 429
    assert words("tr")["wait"] in over[-1].text
