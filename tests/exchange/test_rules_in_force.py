"""The installation's own rules: they take over as a whole, everywhere, and the log says so."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange import ruling
from exchange.applying_rules import rules_apply, rules_show
from exchange.batch import BatchRunner
from exchange.checks import examine, require_fit
from exchange.dual_control import HOLDS
from exchange.operations import OperationRefused
from exchange.services import SHARD, Services, build_services
from exchange.settings import Profile, Settings
from exchange.transaction import Outcome, Transaction
from exchange.writer import Busy
from policies.rule_texts import RulesRefused, fingerprint_of
from tests.builders import Clock, Story, logged
from tests.exchange.commands import PATIENCE, POLICY, note, run_batch
from tests.exchange.test_hosts import Host, both_hosts, other, story
from tests.policies.rule_sets import FORBID, WORDS

__all__ = ["other", "story"]

NO_GOALS: Mapping[str, str] = {
    "own.cedar": f'@id("SITE_NO_GOALS") {WORDS} {FORBID} when {{ resource == Section::"goals" }};'
}
NO_WORK: Mapping[str, str] = {
    "own.cedar": f'@id("SITE_NO_WORK") {WORDS} {FORBID} when {{ resource == Section::"work" }};'
}

UNREAD: Mapping[str, str] = {"x.cedar": "forbid ("}


def cases(rule: str, section: str) -> dict[str, str]:
    asked = f"recipient: training_provider, purpose: P4, section: {section}"
    return {"own.cases.yaml": f"- {{{asked}, expect: {rule}}}\n"}


def apply(services: Services, files: Mapping[str, str], operator: str = "") -> dict[str, Any]:
    beside = {
        "NO_GOALS": cases("SITE_NO_GOALS", "goals"),
        "NO_WORK": cases("SITE_NO_WORK", "work"),
        "": {},
    }
    which = next(each for each in beside if each in json.dumps(dict(files)))
    asked = {"files": dict(files), "cases": beside[which], "operator": operator}
    (result,) = rules_apply(services, asked)
    return result


def sections(story: Story) -> set[str]:
    answer = story.fetch()
    assert answer.is_success, answer.text
    return set(answer.json()["summary"])


def named(services: Services) -> list[tuple[str, str]]:
    """Kind and bundle of every entry that names one."""
    return [(each["k"], each["pv"]) for each in logged(services) if "pv" in each]


def tamper(tx: Transaction, files: Mapping[str, str]) -> Outcome[None]:
    """Put another set into the database, and have every host read it, without a word about it."""
    ruling.keep(tx.connection, files, shard=tx.shard)
    return Outcome(None)


def test_a_set_decides_from_the_moment_that_it_is_put_in_force(
    services: Services, story: Story
) -> None:
    old, before = services.policy, sections(story)

    told = apply(services, NO_GOALS, "op-1")
    after = sections(story)

    assert before - after == {"goals"}
    assert (told["done"], told["changed"]) == (True, True)
    assert told["set"] == fingerprint_of(NO_GOALS) == services.ruling.overlay.site
    *_, (_, first), (_, last) = [each for each in named(services) if each[0] == "summary.released"]
    assert (first, last) == (old, services.policy)
    assert old != services.policy
    said = [
        each["e"] for each in logged(services) if each["k"] in {"admin.changed", "policy.changed"}
    ]
    assert said[-2:] == [
        {"what": "rules", "act": "applied", "id": told["set"]},
        {"old": old, "new": services.policy},
    ]


def test_what_is_logged_after_the_change_names_the_new_bundle_alone(
    services: Services, story: Story
) -> None:
    apply(services, NO_GOALS)
    sections(story)

    entries = logged(services)

    at = [each["k"] for each in entries].index("policy.changed")
    assert {each["pv"] for each in entries[:at] if "pv" in each} == {entries[at]["e"]["old"]}
    assert {each["pv"] for each in entries[at:] if "pv" in each} == {entries[at]["e"]["new"]}


def test_the_same_set_again_changes_nothing_and_none_takes_all_away(
    services: Services, story: Story
) -> None:
    policy, before = services.policy, sections(story)
    apply(services, NO_GOALS)
    size = len(logged(services))

    assert not apply(services, NO_GOALS)["changed"]
    assert len(logged(services)) == size
    assert apply(services, {})["changed"]
    assert sections(story) == before
    assert services.policy == policy


NOT_FIT: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
    ({**NO_GOALS, "b.cedar": "forbid ("}, cases("SITE_NO_GOALS", "goals")),
    ({**NO_GOALS, "b.cedar": f'@id("SITE_X") {FORBID} when {{ context.purpose == "P12" }};'}, {}),
    (NO_GOALS, {}),
    (NO_GOALS, cases("SITE_NO_GOALS", "educ")),
    (NO_GOALS, {"own.cases.yaml": "- words"}),
]
"""One rule that can not be read, one that never fires, one without a case, one with a wrong one."""


def test_a_set_with_one_thing_wrong_is_refused_as_a_whole(services: Services) -> None:
    policy, size = services.policy, len(logged(services))

    for files, beside in NOT_FIT:
        with pytest.raises(OperationRefused, match="nothing has changed: "):
            list(rules_apply(services, {"files": files, "cases": beside}))

    services.writer.submit(note, "after").result(PATIENCE)
    assert (services.policy, len(logged(services))) == (policy, size + 1)
    assert next(rules_show(services, {}))["files"] == {}


def test_a_restart_serves_the_set_that_was_in_force(
    services: Services, settings: Settings, story: Story
) -> None:
    apply(services, NO_GOALS)
    left = sections(story)
    services.close()

    again = build_services(settings, clock=story.broker.clock)
    later = Story(replace(story.broker, services=again), *story.rest)

    assert again.policy == services.policy
    assert sections(later) == left
    assert [each["k"] for each in logged(again)].count("policy.changed") == 1
    again.close()


@both_hosts
def test_every_host_decides_by_it_before_it_next_decides(services: Services, other: Host) -> None:
    before = sections(other.story)

    apply(services, NO_GOALS)

    assert before - sections(other.story) == {"goals"}
    assert other.services.policy == services.policy


@pytest.fixture
def in_production(services: Services) -> Services:
    profile = services.settings.model_copy(update={"profile": Profile.PRODUCTION})
    return replace(services, settings=profile)


def test_in_production_two_operators_must_say_the_same(in_production: Services) -> None:
    services, policy = in_production, in_production.policy

    with pytest.raises(OperationRefused, match="two operators"):
        apply(services, NO_GOALS)
    assert not apply(services, NO_GOALS, "op-1")["done"]
    with pytest.raises(OperationRefused, match="another operator must say it too"):
        apply(services, NO_GOALS, "op-1")
    assert not apply(services, NO_WORK, "op-2")["done"]
    services.writer.submit(note, "still").result(PATIENCE)
    assert services.policy == policy

    assert apply(services, NO_GOALS, "op-2")["done"]

    services.writer.submit(note, "now").result(PATIENCE)
    assert services.ruling.overlay.site == fingerprint_of(NO_GOALS)
    said = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    acts = [each["act"] for each in said if each["what"] == "rules"]
    assert acts == ["asked", "refused", "asked", "applied"]


def test_in_production_the_first_word_does_not_wait_for_ever(
    in_production: Services, clock: Clock
) -> None:
    apply(in_production, NO_GOALS, "op-1")
    clock.move(HOLDS + timedelta(seconds=1))

    assert not apply(in_production, NO_GOALS, "op-2")["done"]


def test_an_operator_is_a_code(services: Services) -> None:
    with pytest.raises(OperationRefused, match="never a name"):
        apply(services, NO_GOALS, "Ann Peeters")


@pytest.mark.parametrize("files", [{}, UNREAD], ids=["none", "not to be read"])
def test_a_set_that_the_log_does_not_name_releases_nothing(
    files: Mapping[str, str], services: Services, settings: Settings, story: Story
) -> None:
    apply(services, NO_GOALS)
    sections(story)

    services.writer.submit(tamper, files).result(PATIENCE)

    with pytest.raises(Busy):
        services.writer.submit(note, "lost").result(PATIENCE)
    assert "not those that the log names" in str(services.admission.frozen)
    assert story.fetch().status_code == 503
    with pytest.raises(RulesRefused, match="not those that the log names"):
        require_fit(settings)
    bad = [each.check for each in examine(settings) if not each.good]
    assert "our own rules are those that were put in force" in bad


def test_rules_that_can_not_be_read_stop_the_start_until_others_are_put_in_force(
    services: Services, settings: Settings, clock: Clock
) -> None:
    services.writer.submit(tamper, UNREAD).result(PATIENCE)
    services.close()
    with pytest.raises(RulesRefused, match=r"x\.cedar:1: unexpected end"):
        build_services(settings, clock=clock)

    mending = build_services(settings, clock=clock, rules=NO_GOALS)
    apply(mending, NO_GOALS)
    mending.close()

    again = build_services(settings, clock=clock)
    assert again.ruling.own == NO_GOALS
    require_fit(settings)
    again.close()


def test_a_folder_that_holds_another_set_stops_the_start(
    services: Services, settings: Settings, tmp_path: Path
) -> None:
    folder = settings.data_dir / "rules"
    folder.mkdir()
    require_fit(settings)
    (folder / "own.cedar").write_text(NO_GOALS["own.cedar"])
    with pytest.raises(RulesRefused, match="put it in force: overdracht rules apply"):
        require_fit(settings)

    assert apply(services, NO_GOALS)["folder"] is None
    require_fit(settings)

    (folder / "own.cedar").write_text(NO_WORK["own.cedar"])
    with pytest.raises(RulesRefused, match="are not those in force"):
        require_fit(settings)
    elsewhere = settings.model_copy(update={"rules_dir": tmp_path / "elsewhere"})
    with pytest.raises(RulesRefused, match="no such folder"):
        require_fit(elsewhere)
    assert apply(services, {})["folder"] == str(folder)


def test_another_bundle_than_the_log_named_last_is_said_before_anything_else(
    services: Services, story: Story
) -> None:
    services.writer.close()
    old, size = services.policy, len(logged(services))
    house = (services.database, services.keys, services.vault, services.clock)
    runner = BatchRunner(*house, POLICY, shard=SHARD, ruled=lambda *_: POLICY)

    first, _ = run_batch(runner, lambda tx: note(tx, "one"), lambda tx: note(tx, "two"))
    run_batch(runner, lambda tx: note(tx, "three"))
    runner.close()

    changed, one, two, three = logged(services)[size:]
    assert (changed["k"], changed["e"]) == ("policy.changed", {"old": old, "new": POLICY})
    assert [each["e"]["id"] for each in (one, two, three)] == ["one", "two", "three"]
    assert first.result is not None
    assert [each.index for each in first.result.entries] == [size + 1]
