"""Agreements are kept version by version; what runs by itself keeps them as their days say."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from exchange.agreement_book import Book, books
from exchange.directory import documents
from exchange.flows.administer import Applied, apply_documents
from exchange.flows.apply_agreements import (
    AgreementDocuments,
    AgreementsApplied,
    apply_agreements,
)
from exchange.flows.change_agreement import AgreementAct, change_agreement
from exchange.flows.keep_agreements import keep_agreements
from exchange.samples import directory_documents
from exchange.services import SHARD, Services
from policies.agreement_life import Act, Step
from policies.agreements import Standing
from policies.decision import Refused
from policies.vocabulary import AgreementId
from tests.builders import Broker, Clock, logged, next_version

ID = AgreementId("PR-2026-004")
STANDS = directory_documents()["agreement"][ID]
BARE = {**STANDS, "state": "draft"} | {
    "parties": [
        {**each, "dpo_advice": None, "signed_on": None, "published": None}
        for each in STANDS["parties"]
    ]
}


def applied(services: Services, *new: dict[str, Any], **how: Any) -> AgreementsApplied | Refused:
    order = AgreementDocuments(new, **({"operator": None, "two": False} | how))
    return services.writer.submit(apply_agreements, order).result().value


def did(services: Services, act: Act, version: str, **more: Any) -> Any:
    order = AgreementAct(ID, version, Step(act=act, on=date(2026, 11, 2), **more))
    return services.writer.submit(change_agreement, order).result().value


def swept(services: Services) -> int:
    done = services.writer.submit(keep_agreements).result().value
    assert isinstance(done, int)
    return done


def book(services: Services) -> Book:
    with services.database.reading() as connection:
        return books(connection, shard=SHARD)[ID]


def in_use(services: Services) -> tuple[str | None, str]:
    """The version that decisions read, and its state."""
    (found,) = (each for each in services.directory().agreements if each.id == ID)
    return found.version, found.state.value


def said(services: Services) -> list[tuple[str, str]]:
    entries = (each["e"] for each in logged(services) if each["k"] == "admin.changed")
    return [(each["act"], each["id"]) for each in entries if each["what"] == "agreement"]


def test_a_kept_version_never_gets_another_text_and_nothing_else_of_the_folder_is_kept(
    services: Services,
) -> None:
    other = next_version(STANDS)
    changed = {**STANDS, "retention": "for ever", "volume": {"persons_per_year": 9}}
    before = len(said(services))

    refused = applied(services, other, changed)

    assert isinstance(refused, Refused)
    assert refused.details == ("text", "PR-2026-004/2.0", "retention", "volume.persons_per_year")
    assert [each.version for each in book(services).versions] == ["2.0"]
    assert len(said(services)) == before
    assert isinstance(
        services.writer.submit(apply_documents, {"agreement": {ID: changed}}).result().value,
        Refused,
    )


def test_the_same_agreements_again_change_nothing_whatever_was_done_since(
    services: Services,
) -> None:
    did(services, Act.REVIEWED, "2.0")
    did(services, Act.SUSPENDED, "2.0", reason="under_review")
    did(services, Act.LIFTED, "2.0")

    same = directory_documents()["agreement"]
    again = services.writer.submit(apply_documents, {"agreement": same}).result().value

    assert again == Applied(changed=0, unchanged=len(same))
    assert in_use(services) == ("2.0", "in_review")


def test_a_new_version_starts_bare_and_the_old_one_counts_until_it_is_in_use(
    services: Services,
) -> None:
    new = next_version(BARE, title="Once more")
    applied(services, new)
    old, bare = book(services).versions
    assert in_use(services) == ("2.0", "active")
    assert (bare.standing(date(2026, 11, 2)), bare.steps) == (Standing.INCOMPLETE, ())

    applied(services, {**new, "parties": STANDS["parties"], "state": "active"})

    assert in_use(services) == (new["version"], "active")
    ended, now = book(services).versions
    assert (ended.hash, ended.text) == (old.hash, old.text)
    assert (ended.agreement.state, ended.steps[-1].step.reason) == ("ended", "superseded")
    assert now.hash != ended.hash
    assert all(each.on_paper for each in now.steps)


def test_a_version_for_later_takes_over_on_its_first_day(services: Services, clock: Clock) -> None:
    new = next_version(STANDS, valid_from="2026-12-01")
    applied(services, new)
    swept(services)
    before = in_use(services)

    clock.move(datetime.fromisoformat("2026-12-01T00:00:00+01:00"))
    swept(services)

    assert before == ("2.0", "active")
    assert in_use(services) == (new["version"], "active")
    assert book(services).versions[0].agreement.state == "ended"
    assert ("ended", "PR-2026-004/2.0") in said(services)


def test_an_older_version_is_not_brought_into_use_over_a_newer_one(services: Services) -> None:
    draft, new = next_version(STANDS, state="published"), next_version(STANDS)
    applied(services, draft)
    applied(services, new)

    refused = did(services, Act.ACTIVATED, draft["version"])

    assert isinstance(refused, Refused)
    assert refused.details == ("superseded",)


def test_what_a_document_says_and_can_not_have_been_is_told_and_not_kept(
    services: Services,
) -> None:
    unsigned = [STANDS["parties"][0], {**STANDS["parties"][1], "signed_on": None}]
    new = next_version(STANDS, parties=unsigned)

    kept = applied(services, new)

    assert isinstance(kept, AgreementsApplied)
    assert [(act, why) for act, _, why in kept.untaken[f"{ID}/{new['version']}"]] == [
        ("published", "not_signed"),
        ("published", "not_signed"),
        ("activated", "not_signed"),
    ]
    assert book(services).versions[-1].agreement.state == "dpo_advice"
    assert in_use(services) == ("2.0", "active")


def test_nothing_was_done_on_paper_on_a_day_that_has_yet_to_come(services: Services) -> None:
    late = [{**each, "signed_on": "2026-11-03"} for each in STANDS["parties"]]
    new = next_version(STANDS, parties=late)

    kept = applied(services, new)

    assert isinstance(kept, AgreementsApplied)
    whys = [why for act, _, why in kept.untaken[f"{ID}/{new['version']}"] if act == "signed"]
    assert whys == ["later", "later"]
    assert in_use(services) == ("2.0", "active")


def test_a_suspension_is_of_the_agreement_and_no_new_version_escapes_it(
    services: Services,
) -> None:
    did(services, Act.SUSPENDED, "2.0", reason="unlawful_use")

    same = {"on": "2026-11-01", "by": "app:broker", "reason_code": "unlawful_use"}
    applied(services, next_version(STANDS, suspended=same))

    now = book(services).versions[-1]
    assert now.standing(date(2026, 11, 2)) is Standing.SUSPENDED
    assert [each.reason_code for each in now.life.holds] == ["unlawful_use"]


def test_what_was_done_on_paper_takes_two_operators_where_it_is_serious(
    services: Services,
) -> None:
    new, two = next_version(STANDS), {"two": True}

    nobody = applied(services, new, **two)
    first = applied(services, new, **two, operator="op-1")
    same = applied(services, new, **two, operator="op-1")
    assert in_use(services) == ("2.0", "active")
    other = applied(services, {**new, "title": "Another"}, **two, operator="op-2")
    second = applied(services, new, **two, operator="op-2")

    assert isinstance(nobody, Refused)
    assert isinstance(same, Refused)
    assert (nobody.details, same.details) == (("operator",), ("same-operator",))
    waits = [getattr(each, "waiting", None) for each in (first, other, second)]
    assert waits == [True, True, False]
    assert in_use(services) == (new["version"], "active")
    asked = [act for act, id in said(services) if id == f"{ID}/{new['version']}"]
    assert asked == ["asked", "asked", "applied"]


def test_a_bare_draft_takes_one_operator(services: Services) -> None:
    kept = applied(services, next_version(BARE), two=True)

    assert isinstance(kept, AgreementsApplied)
    assert (kept.changed, kept.waiting) == (1, False)


def test_after_its_last_day_an_agreement_ends_by_itself_and_once(
    services: Services, clock: Clock
) -> None:
    clock.move(datetime.fromisoformat("2028-03-31T23:59:00+02:00"))
    swept(services)
    last_day = in_use(services)
    clock.move(timedelta(minutes=2))
    swept(services)
    swept(services)

    assert last_day == ("2.0", "active")
    assert in_use(services) == ("2.0", "ended")
    assert said(services).count(("ended", "PR-2026-004/2.0")) == 1
    assert book(services).versions[0].steps[-1].step.reason == "expired"


def test_a_review_is_reminded_of_once_from_sixty_days_before(
    services: Services, clock: Clock
) -> None:
    new = next_version(STANDS, review_on="2027-03-01")
    applied(services, new)
    name = f"{ID}/{new['version']}"

    told = []
    for day in ("2026-12-30T23:00:00+01:00", "2026-12-31T00:00:00+01:00", "2027-01-05T12:00:00Z"):
        clock.move(datetime.fromisoformat(day))
        swept(services)
        told.append(said(services).count(("reminded", name)))

    assert told == [0, 1, 1]


def test_what_is_due_to_many_is_done_a_bounded_piece_at_a_time(
    services: Services, clock: Clock
) -> None:
    clock.move(datetime.fromisoformat("2035-01-01T12:00:00Z"))
    live = sum(each.state == "active" for each in services.directory().agreements)

    pieces = [services.writer.submit(keep_agreements, 3).result().value for _ in range(live)]

    assert pieces[0] == 3
    assert sum(each for each in pieces if isinstance(each, int)) == live
    assert not [each for each in services.directory().agreements if each.state == "active"]


def test_the_directory_holds_the_document_as_it_was_applied_and_as_it_became(
    broker: Broker,
) -> None:
    services = broker.services
    with services.database.reading() as connection:
        before = documents(connection, shard=SHARD, kind="agreement")[ID]
    did(services, Act.SUSPENDED, "2.0", by=STANDS["parties"][0]["org"], reason="unlawful_use")
    with services.database.reading() as connection:
        after = documents(connection, shard=SHARD, kind="agreement")[ID]
        rows = connection.execute(text("SELECT count(*) FROM agreement_version")).scalar_one()

    assert before == STANDS
    held = {"on": "2026-11-02", "by": "destap-ww", "reason_code": "unlawful_use"}
    assert after == {**STANDS, "suspended": held | {"until_lifted": True}}
    assert rows == len(directory_documents()["agreement"])


def test_no_day_that_has_yet_to_come_is_noted_but_of_a_suspension(services: Services) -> None:
    tomorrow = date(2026, 11, 3)
    end = Step(act=Act.ENDED, on=tomorrow)
    suspend = Step(act=Act.SUSPENDED, on=tomorrow, reason="unlawful_use")
    orders = [AgreementAct(ID, "2.0", each) for each in (end, suspend)]

    later, noted = (services.writer.submit(change_agreement, each).result() for each in orders)

    assert isinstance(later.value, Refused)
    assert later.value.details == ("later",)
    assert not isinstance(noted.value, Refused)
    now = book(services).versions[-1]
    assert [now.standing(each) for each in (date(2026, 11, 2), tomorrow)] == [
        Standing.IN_FORCE,
        Standing.SUSPENDED,
    ]


def test_what_would_make_a_document_unreadable_is_not_kept_of_a_version_for_later_either(
    services: Services,
) -> None:
    later = next_version(BARE)["version"]
    applied(services, BARE | {"version": later})
    for each in STANDS["parties"]:
        did(services, Act.ADVISED, later, by=each["org"], outcome="positive")
    party = STANDS["parties"][0]["org"]

    blank = did(services, Act.AUTHORITY_ADVISED, later, body=" ")
    nowhere = did(services, Act.PUBLISHED, "2.0", by=party, url="https://x y")
    future = did(services, Act.PUBLISHED, later, by=party, url="no address")

    assert isinstance(blank, Refused)
    assert blank.details == ("unfit", "authority_advice.body")
    for each in (nowhere, future):
        assert isinstance(each, Refused)
        assert each.details[0] == "unfit"


def test_while_it_is_suspended_an_act_says_so(services: Services) -> None:
    held = did(services, Act.SUSPENDED, "2.0", reason="under_review")
    lifted = did(services, Act.LIFTED, "2.0")

    assert (held.state, lifted.state) == ("suspended", "active")


def test_the_version_that_takes_over_on_the_day_after_the_last_of_another_does_not_end_with_it(
    services: Services, clock: Clock
) -> None:
    first = next_version(STANDS, valid_until="2026-11-09", review_on="2026-11-09")
    second = next_version(STANDS, valid_from="2026-11-10")
    applied(services, first)
    applied(services, second)
    assert in_use(services) == (first["version"], "active")

    clock.move(datetime.fromisoformat("2026-11-10T00:30:00+01:00"))
    while swept(services):
        pass

    assert in_use(services) == (second["version"], "active")
    assert book(services).current(date(2026, 11, 10)).standing(date(2026, 11, 10)) is (
        Standing.IN_FORCE
    )
