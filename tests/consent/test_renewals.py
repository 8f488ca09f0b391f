from datetime import UTC, date, datetime
from typing import Any

import pytest

from consent import register
from consent.belgian_time import adult_at, end_of, time_of
from consent.renewal import read_renewal
from consent.terms import TermsRefused
from policies.vocabulary import (
    OrganisationId,
    Reason,
)
from tests.consent.builders import (
    HOLDER,
    MINOR,
    MINOR_BORN,
    NOON,
    NOTICE,
    Desk,
    grant,
)

TOGETHER = "partnership:lp-zuid-wvl@2026-11-02"


def test_a_renewal_lets_in_who_joined_since(desk: Desk) -> None:
    consent = desk.give(
        grants=[grant(purpose="P3", recipient="partnership:lp-zuid-wvl@2026-11-02")]
    )
    december = datetime(2026, 12, 2, 9, tzinfo=UTC)
    asker = {"recipient": "cvo-west", "purpose": "P3"}

    assert desk.ended(december, **asker) == []
    desk.renew(consent, december)
    assert desk.ended(december, **asker) == [None]


def test_who_has_come_of_age_cannot_renew_what_was_given_as_a_minor(desk: Desk) -> None:
    consent = desk.give(born=MINOR_BORN, capacity=MINOR)

    refused = desk.renew(consent, time_of(adult_at(MINOR_BORN)), until="2028-01-01")

    assert refused.reason == Reason.CAPACITY_CHANGED_AGE18


def test_a_renewal_gives_a_new_end_and_what_was_withdrawn_stays_so(desk: Desk) -> None:
    consent = desk.give(grants=[grant(), grant(sections=["work"])])
    desk.withdraw(consent, grants=["g2"])
    later = datetime(2027, 5, 1, 10, tzinfo=UTC)

    assert desk.renew(consent, later).details == ("until",)
    renewed = desk.renew(consent, later, until="2027-11-01")

    assert (renewed.state, renewed.version) == ("renewed", 3)
    assert [each.end for each in renewed.terms.grants] == [
        end_of(date(2027, 11, 1)),
        end_of(date(2027, 4, 1)),
    ]
    assert desk.ended(later) == [None, Reason.CONSENT_WITHDRAWN]
    assert desk.ended(time_of(end_of(date(2027, 11, 1))))[0] == Reason.CONSENT_EXPIRED


def test_a_renewal_of_justice_is_in_writing_too(desk: Desk) -> None:
    consent = desk.give(
        grants=[grant(purpose="P4", recipient="org:cvo-west", sections=["justice"])],
        evidence={"method": "paper_scan"},
    )

    refused = desk.renew(consent, NOON, evidence={"method": "portal_click"})

    assert refused.details == ("evidence.method",)


def test_a_renewal_is_for_its_controller_and_for_the_version_it_saw(desk: Desk) -> None:
    consent = desk.give()
    sent = {"notice": NOTICE, "evidence": {"method": "itsme"}}
    renewal = read_renewal(sent, at=NOON, notice_known=desk.notices.known)

    def reason(controller: OrganisationId, version: int) -> Reason | None:
        answer = register.renew(
            desk.connection,
            shard=1,
            consent=consent,
            controller=controller,
            renewal=renewal,
            at=NOON,
            sealing=desk.sealing,
            version=version,
        )
        return getattr(answer, "reason", None)

    assert reason(OrganisationId("leerwinkel-wvl"), 1) == Reason.CONSENT_NOT_FOUND
    assert reason(HOLDER, 2) == Reason.STALE_VERSION
    assert reason(HOLDER, 1) is None
    assert reason(HOLDER, 1) == Reason.STALE_VERSION


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"until": "2026-11-01"}, ("until", "past")),
        ({"until": "soon"}, ("until", "invalid")),
        ({"notice": {**NOTICE, "version": "9.9"}}, ("notice", "unknown")),
        ({"grants": []}, ("grants", "unknown")),
    ],
)
def test_a_renewal_that_cannot_be_is_refused_by_its_place(
    desk: Desk, sent: dict[str, Any], problem: tuple[str, str]
) -> None:
    consent = desk.give()

    with pytest.raises(TermsRefused) as refused:
        desk.renew(consent, NOON, **sent)

    assert refused.value.problems == (problem,)
