"""The directory: what was applied stands, and everybody sees a change before deciding again."""

from datetime import date
from typing import Any

import pytest

from exchange.directory import DirectoryReader, Member, documents
from exchange.flows.administer import (
    Applied,
    NewApplication,
    apply_documents,
    apply_members,
    register_application,
    revoke_application,
    scopes_of,
)
from exchange.samples import directory_documents
from exchange.security.tokens import Caller, new_signing_key, signer_from_jwk
from exchange.services import SHARD, Services, build_services
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import ApplicationId, OrganisationId, OrganisationType, Reason
from tests.builders import Clock, logged
from tests.exchange.commands import (
    PATIENCE,
    Commit,
    at_commit,
    run_batch,
    runner_for,
    values,
)
from tests.exchange.disasters import disk_full

DESTAP = OrganisationId("destap-ww")


def public_key() -> dict[str, str]:
    return signer_from_jwk(new_signing_key()).public_jwk()


def done(services: Services, command: Any, *args: Any) -> Any:
    return services.writer.submit(command, *args).result(PATIENCE).value


def registered(services: Services, organisation: OrganisationId = DESTAP) -> ApplicationId:
    return ApplicationId(
        done(services, register_application, NewApplication(organisation, public_key())).application
    )


def changes(services: Services) -> list[tuple[str, str, str]]:
    found = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    return [(each["what"], each["act"], each["id"]) for each in found]


@by_application
def act(_tx: Transaction, _caller: Caller) -> Outcome[str]:
    return Outcome("done")


def caller(application: ApplicationId) -> Caller:
    return Caller(application, DESTAP, frozenset({"client"}), "t-1")


def test_the_same_documents_again_change_nothing_and_log_nothing(services: Services) -> None:
    before, version = changes(services), services.directory().version
    same = directory_documents()

    applied = done(services, apply_documents, same)

    assert applied == Applied(changed=0, unchanged=sum(map(len, same.values())))
    assert changes(services) == before
    assert services.directory().version == version


def test_only_what_changed_is_written_and_logged(services: Services) -> None:
    before, version = len(changes(services)), services.directory().version
    new = directory_documents()
    new["organisation"]["destap-ww"]["name"] = "Another name"

    applied = done(services, apply_documents, new)

    assert applied.changed == 1
    assert changes(services)[before:] == [("organisation", "applied", "destap-ww")]
    assert services.directory().version == version + 1
    assert services.directory().names["destap-ww"] == "Another name"


def test_documents_come_back_by_id_in_order(services: Services) -> None:
    with services.database.reading() as connection:
        found = documents(connection, shard=SHARD, kind="agreement")

    assert list(found) == sorted(directory_documents()["agreement"])


def test_a_directory_is_read_once_for_as_long_as_it_is_true(services: Services) -> None:
    reader = DirectoryReader(shard=SHARD)
    with services.database.reading() as connection:
        first, second = reader.current(connection), reader.current(connection)
    registered(services)
    with services.database.reading() as connection:
        third = reader.current(connection)

    assert first is second
    assert third is not first
    assert third.version == first.version + 1


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_another_process_sees_a_revocation_before_it_next_decides(
    services: Services, clock: Clock
) -> None:
    application = registered(services)
    other = build_services(services.settings, clock=clock)

    before = done(other, act, caller(application))
    done(services, revoke_application, application)
    after = done(other, act, caller(application))
    other.close()

    assert before == "done"
    assert isinstance(after, Refused)
    assert after.told is Reason.CALLER_REVOKED


def test_a_revocation_holds_for_what_follows_it_in_the_same_batch(services: Services) -> None:
    application = registered(services)
    services.writer.close()
    runner = runner_for(services)

    settled = run_batch(
        runner,
        lambda tx: act(tx, caller(application)),
        lambda tx: revoke_application(tx, application),
        lambda tx: act(tx, caller(application)),
    )
    runner.close()

    before, revoked, after = values(settled)
    assert (before, revoked) == ("done", application)
    assert isinstance(after, Refused)


def test_two_applications_registered_in_one_batch_have_two_names(services: Services) -> None:
    runner = runner_for(services)
    orders = [NewApplication(DESTAP, public_key()) for _ in range(3)]

    settled = run_batch(
        runner,
        *(lambda tx, order=each: register_application(tx, order) for each in orders),
    )
    runner.close()

    names = [each.application for each in values(settled)]
    assert names == ["app:destap-ww-1", "app:destap-ww-2", "app:destap-ww-3"]
    known = services.directory().applications
    assert [known[name].key for name in names] == [order.key for order in orders]


def test_a_change_that_was_not_stored_is_not_remembered(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = runner_for(services)
    new = directory_documents()
    new["organisation"]["destap-ww"]["name"] = "Never"

    def name(tx: Transaction) -> Outcome[str]:
        return Outcome(tx.directory.names["destap-ww"])

    def full(_connection: Any, _commit: Commit) -> None:
        raise disk_full(services.database)

    with monkeypatch.context() as patch:
        at_commit(patch, services.database, full)
        run_batch(runner, lambda tx: apply_documents(tx, new), name)
    runner.close()
    registered(services)  # somebody else moves the directory to the version that was not stored
    services.writer.close()
    after = run_batch(runner, name)
    runner.close()

    stands = directory_documents()["organisation"]["destap-ww"]["name"]
    assert values(after) == [stands]
    assert services.directory().names["destap-ww"] == stands


def test_a_revoked_application_stays_known_and_is_not_live(services: Services) -> None:
    application = registered(services)
    assert services.directory().admits(caller(application), 0)

    done(services, revoke_application, application)

    assert not services.directory().admits(caller(application), 0)
    assert services.directory().applications[application].revoked
    assert changes(services)[-2:] == [
        ("application", "registered", application),
        ("application", "revoked", application),
    ]


@pytest.mark.parametrize("again", [True, False], ids=["again", "unknown"])
def test_what_cannot_be_revoked_is_refused_and_changes_nothing(
    services: Services, *, again: bool
) -> None:
    application = ApplicationId("app:nobody-1")
    if again:
        application = registered(services)
        done(services, revoke_application, application)
    version = services.directory().version

    refused = done(services, revoke_application, application)

    assert isinstance(refused, Refused)
    assert services.directory().version == version


def test_scopes_follow_the_type_of_the_organisation_and_can_only_be_narrowed(
    services: Services,
) -> None:
    narrow = NewApplication(DESTAP, public_key(), frozenset({"client"}))
    wide = NewApplication(DESTAP, public_key(), frozenset({"client", "audit-all"}))
    none = NewApplication(DESTAP, public_key(), frozenset())

    assert done(services, register_application, narrow).scopes == {"client"}
    assert done(services, register_application, wide).details[0] == "scope"
    assert isinstance(done(services, register_application, none), Refused)


def test_an_unknown_organisation_gets_no_application_and_no_members(services: Services) -> None:
    nobody = OrganisationId("nobody")
    member = Member(shard=0, organisation="nobody", id="m-1", roles="counsellor")

    assert done(services, register_application, NewApplication(nobody, public_key())).details == (
        "organisation",
    )
    assert done(services, apply_members, [member]).details == ("nobody",)
    assert services.directory().applications == {}


def test_only_a_supervisor_may_see_every_log_and_only_a_back_office_totals() -> None:
    scopes = {type: scopes_of(type) for type in OrganisationType}

    all_logs = {type for type, may in scopes.items() if "audit-all" in may}
    totals = {type for type, may in scopes.items() if "aggregate" in may}

    assert all_logs == {OrganisationType.SUPERVISORY_AUTHORITY}
    assert totals == {OrganisationType.BACK_OFFICE}
    assert all(scopes.values())


def test_a_partnership_has_the_members_of_that_day_and_an_unknown_one_has_none(
    services: Services,
) -> None:
    directory = services.directory()
    (id, partnership), *_ = directory.partnerships.items()

    assert directory.members_at(id, date(2026, 11, 2)) == partnership.members_at(date(2026, 11, 2))
    assert directory.members_at(id, date(2026, 11, 2))
    assert directory.members_at("nobody", date(2026, 11, 2)) == frozenset()
