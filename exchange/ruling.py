"""The rules in force: those that ship, and the installation's own, which lie with the directory.

The installation's own set is kept in the database, so that every host has it. Each batch hears
under the lock when it has changed, before it decides anything: a set takes over as a whole,
between two batches, and what was decided under the one before is forgotten with it.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Connection

import policies
from audit import policy_said
from exchange import directory
from policies.gates import Decider
from policies.rule_texts import RulesRefused, fingerprint_of, read_set
from policies.site_rules import Overlay, load_overlay
from policies.summary_model import summary_model

RULES = "rules"
_OWN = "site"
_MEND = "put back the database, or say anew which rules hold: overdracht rules apply DIR"


class Ruling:
    """The rules that decide at this host. Moved by the writer's thread alone.

    `alarm` is told the name of each gate or rule that failed, as often as it did. `instead`:
    these rules stand in for kept ones that can not be used, until others are put in force.
    """

    def __init__(
        self,
        own: Mapping[str, str],
        *,
        shard: int,
        alarm: Callable[[str], None] = lambda _: None,
        instead: bool = False,
    ) -> None:
        self._shard, self._heard, self._instead = shard, -1, instead
        self.rest = bundle_beside_own()
        self.overlay = load_overlay(site=own)
        self.policy = policy_version(self.rest, self.overlay.site)
        self.own, self.decider = own, Decider(self.overlay, alarm=alarm)

    def heed(self, connection: Connection, version: int) -> str:
        """The bundle in force at this version of the directory; from now on it decides.

        Raises `RulesRefused`: the set can not be used, or is not the one that the log names.
        """
        if version != self._heard and not self._instead:
            own = kept(connection, shard=self._shard)
            if fingerprint_of(own) != self.overlay.site:
                require_said(connection, own, shard=self._shard)
                self._take(own, load_overlay(site=own))
            self._heard = version
        return self.policy

    def _take(self, own: Mapping[str, str], overlay: Overlay) -> None:
        self.own, self.overlay = own, overlay
        self.policy = policy_version(self.rest, overlay.site)
        self.decider.take(overlay)


def ruling_at(
    connection: Connection,
    instead: Mapping[str, str] | None,
    *,
    shard: int,
    alarm: Callable[[str], None],
) -> Ruling:
    """The rules as they are kept, or others where those can not be used.

    Raises `RulesRefused` when they can not, and there are no others.
    """
    try:
        return Ruling(kept(connection, shard=shard), shard=shard, alarm=alarm)
    except RulesRefused:
        if instead is None:
            raise
        return Ruling(instead, shard=shard, alarm=alarm, instead=True)


def kept(connection: Connection, *, shard: int) -> Mapping[str, str]:
    """The installation's own rules, by the names of their files; none, when it has none."""
    known = directory.documents(connection, shard=shard, kind=RULES).get(_OWN, {})
    return {str(name): str(text) for name, text in known.items()}


def keep(connection: Connection, files: Mapping[str, str], *, shard: int) -> None:
    """Have these in force from the next batch on, at every host."""
    directory.put_documents(connection, shard=shard, kind=RULES, new={_OWN: files})
    directory.moved(connection, shard=shard)


def said(connection: Connection, *, shard: int) -> str | None:
    """The fingerprint of the set that the log names last; nothing where that may be pruned."""
    last = policy_said.last_applied(connection, shard=shard, what=RULES)
    if last is None and not policy_said.is_pruned(connection, shard=shard):
        return fingerprint_of({})
    return last


def require_said(connection: Connection, own: Mapping[str, str], *, shard: int) -> None:
    """Raises `RulesRefused` when the log names another set than this one as put in force last."""
    expected = said(connection, shard=shard)
    if expected is not None and expected != fingerprint_of(own):
        raise RulesRefused([f"the rules kept are not those that the log names; {_MEND}"])


def require_folder(folder: Path | None, own: Mapping[str, str]) -> None:
    """Raises `RulesRefused` when the installation's folder holds another set than is in force."""
    if folder is not None and fingerprint_of(read_set(folder)) != fingerprint_of(own):
        mend = f"put back what it held, or put it in force: overdracht rules apply {folder}"
        raise RulesRefused([f"the rules in {folder} are not those in force; {mend}"])


def policy_version(*fingerprints: str) -> str:
    """43 characters that name the whole bundle of rules in force (SHA-256, base64url)."""
    digest = hashlib.sha256("\n".join(fingerprints).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def bundle_beside_own() -> str:
    """All that decides beside the installation's own rules: model, purposes and hard rules."""
    purposes = (Path(policies.__file__).parent / "purposes.yaml").read_bytes()
    return policy_version(
        summary_model().fingerprint,
        hashlib.sha256(purposes).hexdigest(),
        load_overlay().fingerprint,
    )
