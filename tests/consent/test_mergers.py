"""Organisations that merge: what was agreed to with one is not agreed to with the other."""

from consent import register
from consent.mergers import Merger, Mergers, awaits_renewal, speaks_of, successor
from policies.decision import Refused
from policies.vocabulary import ConsentId, OrganisationId, Reason
from tests.consent.builders import HOLDER, NOON, TICK, Desk, grant, micros, terms

OLD, NEW, NEWER = OrganisationId("vdab-gent"), OrganisationId("vdab-wvl"), OrganisationId("agii")
MERGED: Mergers = {OLD: Merger(NEW, micros(NOON + TICK))}


def test_the_controller_and_whoever_a_standing_grant_names_are_spoken_of() -> None:
    said = terms(
        grants=[
            grant(),
            grant(purpose="P3", recipient="partnership:lp-zuid-wvl@2026-08-01"),
            grant(purpose="P8", recipient="category:education_ministry,dep-onderwijs"),
        ]
    )

    assert speaks_of(said, HOLDER, (OLD,))
    assert speaks_of(said, HOLDER, (HOLDER,))
    assert speaks_of(said, HOLDER, ("dep-onderwijs",))
    assert not speaks_of(said, HOLDER, (NEW, "lp-zuid-wvl"))
    assert not speaks_of(said.without(frozenset({said.grants[0].id})), HOLDER, (OLD,))


def test_only_a_yes_from_after_the_merger_counts() -> None:
    said = terms()

    assert awaits_renewal(said, HOLDER, micros(NOON + TICK), MERGED)
    assert not awaits_renewal(said, HOLDER, micros(NOON + 2 * TICK), MERGED)
    assert not awaits_renewal(said, HOLDER, micros(NOON), {})


def test_a_renewed_grant_names_what_became_of_its_recipient() -> None:
    twice = {OLD: Merger(NEW, 1), NEW: Merger(NEWER, 2)}
    circle = {OLD: Merger(NEW, 1), NEW: Merger(OLD, 2)}

    assert successor("org:vdab-gent", MERGED) == "org:vdab-wvl"
    assert successor("org-site:vdab-gent/ktr", MERGED) == "org:vdab-wvl"
    assert successor("category:employer,vdab-gent", MERGED) == "category:employer,vdab-wvl"
    assert successor("org:vdab-gent", twice) == "org:agii"
    assert successor("org:vdab-gent", circle) in ("org:vdab-gent", "org:vdab-wvl")
    for same in ("org:agii-wvl", "category:employer", "partnership:vdab-gent@2026-08-01", "any"):
        assert successor(same, MERGED) == same


def held(desk: Desk, consent: ConsentId) -> None:
    way = {"shard": 1, "at": NOON + TICK, "sealing": desk.sealing}
    found = register.suspend_speaking_of(
        desk.connection,
        consent=consent,
        organisations=(OLD, NEW),
        **way,  # type: ignore[arg-type]
    )
    assert found is not None
    assert found.suspended


def test_a_held_consent_goes_on_by_renewal_and_not_by_a_word(desk: Desk) -> None:
    consent = desk.give()
    held(desk, consent)

    resumed = register.resume(
        desk.connection,
        shard=1,
        consent=consent,
        at=NOON + TICK,
        sealing=desk.sealing,
        mergers=MERGED,
    )
    asked = desk.ended(NOON + TICK)
    desk.renew(consent, NOON + TICK, mergers=MERGED)

    assert resumed == Refused(Reason.CONTENT_REFUSED, details=("consent: renewal_needed",))
    assert asked == [Reason.CONSENT_SUSPENDED]
    assert desk.ended(NOON + TICK) == []
    assert desk.ended(NOON + TICK, recipient=NEW) == [None]


def test_a_consent_that_speaks_of_neither_is_left_alone(desk: Desk) -> None:
    consent = desk.give(grants=[grant(purpose="P3", recipient="org:ocmw-kortrijk")])

    found = register.suspend_speaking_of(
        desk.connection,
        shard=1,
        consent=consent,
        organisations=(OLD, NEW),
        at=NOON,
        sealing=desk.sealing,
    )

    assert found is None
    assert desk.ended(recipient=OrganisationId("ocmw-kortrijk"), purpose="P3") == [None]
