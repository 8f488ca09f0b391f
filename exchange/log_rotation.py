"""Change the keys that sign the log (audit-log.md, section 17): name, overlap, destroy."""

from collections.abc import Sequence

from audit import published
from audit.checkpoints import NoteKey, open_note
from exchange.flows.rotate_keys import end_log_keys, name_log_keys
from exchange.log_keys import leave, propose_log_keys, take_up
from exchange.operations import Line, OperationRefused
from exchange.services import SHARD, Services

DESTROY = "overdracht keys rotate --use log --destroy-old"


def begin(services: Services) -> Line:
    """A new key beside each that signs; the log names it first, then both sign."""
    path, keys = services.settings.log_key_path, _keys(services)
    if len(keys) > len(_newest(keys)):
        raise OperationRefused(f"two keys sign already; when all know the new one: {DESTROY}")
    new = propose_log_keys(path, keys)
    pairs = list(zip(_texts(keys), _texts(new), strict=True))

    def change() -> Sequence[NoteKey]:
        services.writer.submit(name_log_keys, pairs).result()
        take_up(path, new)
        return [*keys, *new]

    services.checkpointing.change_keys(change)
    return {"use": "log", "keys": _texts(new), "ended": []}


def destroy_old(services: Services) -> Line:
    """End the keys that have a successor, once a head that the successor signed is published."""
    keys = _keys(services)
    new = _newest(keys)
    old = [each for each in keys if each not in new]
    if not old:
        raise OperationRefused("one key signs; a new one comes with: overdracht keys rotate")
    services.checkpointing.once(again=True)
    with services.database.reading() as connection:
        head = published.latest(connection, shard=SHARD)
    if head is None or any(open_note(head.note, [each.vkey]) is None for each in new):
        raise OperationRefused("no head with the new key's signature is published yet; try again")
    ending = [(each.vkey.text, each.vkey.id.hex()) for each in old]

    def change() -> Sequence[NoteKey]:
        services.writer.submit(end_log_keys, ending).result()
        leave(services.settings.log_key_path, old)
        return new

    services.checkpointing.change_keys(change)
    return {"use": "log", "keys": _texts(new), "ended": _texts(old)}


def _keys(services: Services) -> tuple[NoteKey, ...]:
    keys = services.checkpointing.keys
    if not keys:
        raise OperationRefused("this host does not sign the log; ask the one that does")
    return keys


def _newest(keys: Sequence[NoteKey]) -> list[NoteKey]:
    """The last of each kind: the older stand first."""
    return list({each.algorithm: each for each in keys}.values())


def _texts(keys: Sequence[NoteKey]) -> list[str]:
    return [each.vkey.text for each in keys]
