"""The key that signs the log is changed, and what it signed before goes on holding."""

from functools import partial

import pytest
from sqlalchemy import update
from sqlmodel import col

from audit import published
from audit.checkpoints import Checkpoint, NoteKey, open_note, sign_note
from audit.head_checks import verify_heads
from audit.notes import Algorithm
from audit.policy import read_policy
from audit.published import AuditCheckpoint
from audit.signer import Frozen, origin_of, signed
from audit.start_checks import LogDamaged, require_whole
from audit.witnessing import Answer
from exchange import installation, log_rotation
from exchange.keeping import keys_rotate
from exchange.operations import OperationRefused
from exchange.security.keys import KeysRefused
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from exchange.witnesses import Witnesses
from tests.builders import Clock, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import command_line
from tests.exchange.tampering import tamper


def rotate(services: Services, *, destroy: bool = False) -> None:
    list(keys_rotate(services, {"use": "log", "destroy_old": destroy}))


def signed_by(services: Services) -> list[bool]:
    """For each key of the history, whether it alone opens the newest head."""
    services.checkpointing.once(again=True)
    with services.database.reading() as connection:
        head = published.latest(connection, shard=SHARD)
        known = published.signer_keys(connection, shard=SHARD)
    assert head is not None
    return [open_note(head.note, [each]) is not None for each in known]


def more(services: Services) -> None:
    services.writer.submit(note, "more").result(PATIENCE)


@pytest.mark.case("T91")
def test_t91_what_the_old_key_signed_still_verifies_when_it_is_destroyed(
    services: Services, clock: Clock
) -> None:
    first = services.checkpointing.once()
    (old,) = services.checkpointing.keys
    rotate(services)
    _, new = services.checkpointing.keys

    both = signed_by(services)
    rotate(services, destroy=True)
    alone = signed_by(services)

    assert both == [True, True]
    with services.database.reading() as connection:
        history = published.key_history(connection, shard=SHARD)
        assert verify_heads(connection, shard=SHARD, everything=True) == ()
    assert [each.vkey for each in history] == [old.vkey.text, new.vkey.text]
    assert alone == [False, True]
    assert first is not None
    assert open_note(first.note, published.keys_for(history, first.size)) is not None
    assert old.text not in services.settings.log_key_path.read_text()
    services.close()
    again = build_services(services.settings, clock=clock)
    assert again.admission.frozen is None
    assert again.checkpointing.keys == (new,)
    more(again)
    assert again.checkpointing.once() is not None
    again.close()


def test_the_log_names_both_keys_and_from_where_the_new_one_signs(services: Services) -> None:
    (old,) = services.checkpointing.keys
    size = len(logged(services))
    rotate(services)
    _, new = services.checkpointing.keys
    rotate(services, destroy=True)

    named, ended = [each["e"] for each in logged(services)[size:]]

    said = {"use": "log", "old": old.vkey.text, "new": new.vkey.text, "from": size + 1}
    assert named == said
    assert ended == {"what": "log.key", "act": "destroyed", "id": old.vkey.id.hex()}


def test_two_changes_do_not_cross_and_nothing_is_destroyed_without_a_successor(
    services: Services,
) -> None:
    with pytest.raises(OperationRefused, match="one key signs"):
        rotate(services, destroy=True)
    rotate(services)

    with pytest.raises(OperationRefused, match="--destroy-old"):
        rotate(services)
    assert len(services.checkpointing.keys) == 2


def test_the_operator_is_told_the_line_that_others_need(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overdracht = command_line(settings, monkeypatch, capsys)

    begun = overdracht("keys", "rotate", "--use", "log", "--json").json
    ended = overdracht("keys", "rotate", "--use", "log", "--destroy-old")

    assert begun["ended"] == []
    assert ended.code == 0, ended.words
    assert f"log {begun['keys'][0]}" in ended.words
    assert "1 keys are destroyed." in ended.words
    assert overdracht("audit", "verify", "--deep").code == 0


@pytest.mark.case("T91")
def test_t91_whoever_has_a_key_that_ended_stops_nobody_through_a_witness(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.checkpointing.once()
    (old,) = services.checkpointing.keys
    with services.database.reading() as connection:
        origin = origin_of(connection, SHARD)
    forged = sign_note(old, Checkpoint(origin, 10_000, bytes(32)).text)
    shown = Answer(200, "text/plain", forged.encode())
    witness = NoteKey("clinic", Algorithm.COSIGNATURE, bytes(32)).vkey.text
    policy = read_policy(f"log {old.vkey.text}\nwitness a {witness} https://a.example/\nquorum a\n")
    ask = Witnesses(policy, lambda _url, _body: shown)
    monkeypatch.setattr(services.checkpointing, "_witnesses", ask)

    with pytest.raises(Frozen):
        services.checkpointing.examine()
    monkeypatch.setattr(services.admission, "_frozen", None)
    tamper(services, partial(installation.thaw, shard=SHARD))
    monkeypatch.setattr(services.checkpointing, "_witnesses", Witnesses())
    rotate(services)
    more(services)
    rotate(services, destroy=True)
    monkeypatch.setattr(services.checkpointing, "_witnesses", ask)

    services.checkpointing.examine()
    assert services.admission.frozen is None


def test_a_host_that_does_not_sign_changes_no_key(services: Services, clock: Clock) -> None:
    services.close()
    other = services.settings.model_copy(update={"signs": False})
    again = build_services(other, clock=clock)

    with pytest.raises(OperationRefused, match="does not sign"):
        rotate(again)
    again.close()


@pytest.mark.parametrize("named", [False, True], ids=["before-the-log-named-it", "after"])
def test_a_change_that_was_cut_short_is_gone_on_with(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    services.checkpointing.once()
    (old,) = services.checkpointing.keys
    with monkeypatch.context() as patch:
        place, name = (log_rotation, "take_up") if named else (services.writer, "submit")
        patch.setattr(place, name, crash)
        with pytest.raises(KeyboardInterrupt):
            rotate(services)
    services.close()

    again = build_services(services.settings, clock=clock)

    assert len(again.checkpointing.keys) == (2 if named else 1)
    if not named:
        rotate(again)
    _, new = again.checkpointing.keys
    kinds = [each["e"] for each in logged(again) if each["k"] == "key.rotated"]
    assert [(each["old"], each["new"]) for each in kinds] == [(old.vkey.text, new.vkey.text)]
    more(again)
    assert signed_by(again) == [True, True]
    again.close()


def test_a_destruction_that_was_cut_short_is_gone_on_with(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    rotate(services)
    old, new = services.checkpointing.keys
    with monkeypatch.context() as patch:
        patch.setattr(log_rotation, "leave", crash)
        with pytest.raises(KeyboardInterrupt):
            rotate(services, destroy=True)
    services.close()
    assert old.text in services.settings.log_key_path.read_text()

    again = build_services(services.settings, clock=clock)

    assert again.checkpointing.keys == (new,)
    assert old.text not in services.settings.log_key_path.read_text()
    again.close()


def test_a_file_with_nothing_but_ended_keys_is_refused(services: Services, clock: Clock) -> None:
    before = services.settings.log_key_path.read_text()
    rotate(services)
    rotate(services, destroy=True)
    services.close()
    services.settings.log_key_path.write_text(before)

    with pytest.raises(KeysRefused, match="restore the newest"):
        build_services(services.settings, clock=clock)


@pytest.mark.case("T91")
def test_t91_a_head_signed_by_a_key_after_its_end_is_none_of_the_logs(services: Services) -> None:
    (old,) = services.checkpointing.keys
    rotate(services)
    rotate(services, destroy=True)
    more(services)
    done = services.checkpointing.once()
    assert done is not None
    forged = signed(Checkpoint(old.name, done.size, done.root), [old], 0)
    newest = col(AuditCheckpoint.size) == done.size
    tamper(
        services, lambda it: it.execute(update(AuditCheckpoint).where(newest).values(note=forged))
    )

    with services.database.reading() as connection:
        (found,) = verify_heads(connection, shard=SHARD)
        assert (found.code, found.at) == ("head", done.size)
        with pytest.raises(LogDamaged, match="not one that the log signed"):
            require_whole(connection, shard=SHARD, vkeys=services.checkpointing.vkeys)
