"""The text that one client is shown, and its hash."""

import hashlib
from dataclasses import replace

from consent.content import Terms
from consent.filling import House, filled, recipients_asked
from policies.vocabulary import OrganisationId
from tests.consent.builders import DATA, HOLDER, grant, terms

DUTCH = (DATA / "notices" / "N-P2.nl.md").read_text("utf-8")
NEWCOMERS = (DATA / "notices" / "N-P1P5.ar.md").read_text("utf-8")
HOUSE = House(
    controller=HOLDER,
    names={"destap-ww": "De Stap", "vdab-gent": "VDAB Gent", "cvo-west": "CVO West"},
    supervisors=("GBA", "VTC"),
    contact="de coördinator",
    officer="dpo@destap.example",
    agreement_at="https://destap.example/protocollen",
)


def two_grants() -> Terms:
    return terms(
        grants=[
            grant(until="2027-04-01"),
            grant(purpose="P4", recipient="org:cvo-west", until="2027-02-01"),
        ]
    )


def test_a_notice_is_filled_with_recipient_last_day_officer_and_supervisors() -> None:
    shown = filled(DUTCH, terms(), HOUSE)

    assert shown.lacking == ()
    assert "VDAB Gent" in shown.text
    assert "Tot 01/04/2027" in shown.text
    assert "dpo@destap.example" in shown.text
    assert "Gegevensbeschermingsautoriteit (contact@apd-gba.be) en Vlaamse" in shown.text
    assert "{" not in shown.text
    assert "reading_level_target" not in shown.text


def test_the_hash_is_of_the_text_as_it_was_shown() -> None:
    shown = filled(DUTCH, terms(), HOUSE)
    other = filled(DUTCH, terms(grants=[grant(until="2027-04-02")]), HOUSE)

    assert shown.sha256 == hashlib.sha256(shown.text.encode()).hexdigest()
    assert shown.sha256 != other.sha256
    assert shown == filled(DUTCH, terms(), HOUSE)


def test_what_nobody_knows_stays_in_braces_and_is_named() -> None:
    shown = filled(DUTCH, terms(), replace(HOUSE, officer=None, supervisors=()))

    assert shown.lacking == ("dpo", "toezichthouder")
    assert "{dpo}" in shown.text


def test_the_receiver_is_that_of_the_notices_first_purpose_and_the_centre_the_school() -> None:
    both = two_grants()

    assert recipients_asked(both, ("P2", "P4"), "destap-ww") == ("vdab-gent",)
    assert recipients_asked(both, ("P4", "P2"), "destap-ww") == ("cvo-west",)
    assert recipients_asked(both, ("P1",), "destap-ww") == ()
    centre = filled("{ontvanger}|{centrum}", both, HOUSE)
    assert centre.lacking == ("ontvanger",)  # without front matter no purpose comes first
    assert centre.text == "{ontvanger}|CVO West"


def test_the_controller_is_no_recipient_of_its_own() -> None:
    own = terms(grants=[grant(recipient="org:destap-ww"), grant()])

    assert recipients_asked(own, ("P2",), "destap-ww") == ("vdab-gent",)


def test_several_recipients_are_joined_in_the_language_of_the_text() -> None:
    said = terms(
        grants=[
            grant(purpose="P1", recipient="org:destap-ww"),
            grant(purpose="P1", recipient="org:leerwinkel-wvl"),
        ],
        controller=OrganisationId("agii-wvl"),
    )
    said = replace(said, notice=replace(said.notice, lang="ar"))
    names = {"destap-ww": "De Stap", "leerwinkel-wvl": "Leerwinkel", "agii-wvl": "AgII"}

    shown = filled(
        NEWCOMERS, said, replace(HOUSE, names=names, controller=OrganisationId("agii-wvl"))
    )

    assert "De Stap وLeerwinkel" in shown.text
    assert "AgII" in shown.text


def test_a_consent_that_ends_with_an_event_names_no_last_day() -> None:
    said = terms(grants=[grant(until=None, until_event="trajectory_closed")])

    assert filled(DUTCH, said, HOUSE).lacking == ("einddatum",)


def test_a_partnership_and_a_category_are_named_by_what_they_are() -> None:
    said = terms(
        controller=OrganisationId("ocmw-kortrijk"),
        functions=["explicit_mandate"],
        grants=[grant(purpose="P3", recipient="partnership:lp-zuid-wvl@2026-10-01")],
    )

    assert recipients_asked(said, ("P3",), "ocmw-kortrijk") == ("lp-zuid-wvl",)
