"""What the parts and the index must prove, for those whose keys are at hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from json import loads
from typing import Any
from uuid import UUID

from audit.leaf import UNDISCLOSED, WITHHOLD_PROVIDER
from audit.opening import KeyNotAtHand, PartGone, PartKeys, open_part
from audit.parts import NOBODY, PartChanged
from audit.recording import consent_in
from audit.records import EXPIRED, LIVE, LOST, SHREDDED, IndexRow, PartRow
from audit.verify import Findings, Withdrawals


class PartCheck:
    """Opens what can be opened, and compares with leaf, counter and index.

    As many numbers as entries were `pruned` may lack where a person's begin.
    Keeps one number for every person, to see that their entries are numbered without a gap.
    """

    def __init__(self, findings: Findings, keys: PartKeys, *, pruned: int = 0) -> None:
        self._findings, self._keys = findings, keys
        self._counted: Counter[tuple[bytes, str]] = Counter()
        self._expired, self._lost = pruned, 0
        """Numbers that are gone, and that no client was yet found to miss."""
        self.later = 0
        """Clients whose numbers begin after the first: only from there on is nothing hidden."""
        self._withdrawals = Withdrawals()

    def take(
        self, at: int, body: Mapping[str, Any], parts: Sequence[PartRow], row: IndexRow | None
    ) -> None:
        """One entry: its leaf's values, its parts in order of label, its index row."""
        if [part.label for part in parts] != sorted(body.get("x", ())):
            self._findings.add("part", at, "a part is missing, or one too many")
        texts = {part.label: self._text(at, body, part) for part in parts}
        for part in parts:
            said = texts[part.label]
            if part.label == "s" and said is not None:
                self._count(at, said, part.key_id)
            elif part.label == "s" and part.key_id is not None:
                # Reported already; the numbers after it are not wrong for that.
                self._counted[part.key_id, ""] += 1
        if not self._withdrawals.take(body["k"], texts.get("y") or {}):
            self._findings.add("withdrawn", at, "a release after the withdrawal of its consent")
        self._compare_index(at, body, texts, parts, row)

    def _text(self, at: int, body: Mapping[str, Any], part: PartRow) -> dict[str, Any] | None:
        try:
            text: dict[str, Any] = loads(open_part(body, part, self._keys))
        except PartGone:
            self._expired += part.label == "s" and part.state == EXPIRED
            self._lost += part.label == "s" and part.state == LOST
            clean = part.key_id is None and part.ct is None
            if part.state not in (SHREDDED, EXPIRED, LOST) or not clean:
                self._findings.add("part", at, "a tombstone that still holds something")
        except KeyNotAtHand:
            words = "a part whose key is not at hand, and no tombstone"
            self._findings.add("key", at, words, contradicts=False)
        except (PartChanged, ValueError):
            self._findings.add("part", at, f"part {part.label} is not what the leaf commits to")
        else:
            return text
        return None

    def _count(self, at: int, said: Mapping[str, Any], key_id: bytes | None) -> None:
        client, number = said.get("client"), said.get("sn")
        if key_id is None or (client is None) != (key_id == NOBODY):
            self._findings.add("part", at, "a part s under a key that is not its client's")
            return
        if client is None:
            if number != 0:
                self._findings.add("number", at, "a number for nobody")
            return
        if UUID(client).bytes != key_id:
            self._findings.add("part", at, "a part s under a key that is not its client's")
        series = key_id, said.get("ser", "")
        expected = self._counted[series] + 1
        if number != expected and not self._accounted(number, expected):
            words = f"number {number} of a client where {expected} was due"
            self._findings.add("number", at, words)
        self._counted[series] = number if type(number) is int else expected

    def _accounted(self, number: Any, expected: int) -> bool:
        """Whether as many numbers are gone as are skipped: expired ones only before the first."""
        skipped = number - expected if type(number) is int else -1
        if expected == 1 and 0 <= skipped <= self._expired:
            self._expired -= skipped
            self.later += skipped > 0
            return True
        if 0 <= skipped <= self._lost:
            self._lost -= skipped
            return True
        return False

    def _compare_index(
        self,
        at: int,
        body: Mapping[str, Any],
        texts: Mapping[str, dict[str, Any] | None],
        parts: Sequence[PartRow],
        row: IndexRow | None,
    ) -> None:
        if row is None:
            self._findings.add("index", at, "hidden from the search index")
            return
        gone = {part.label for part in parts if part.state != LIVE}
        for name, value in self._index_values(body, texts).items():
            label = {"subject_blind": "s", "actor_blind": "a", "consent_blind": "y"}.get(name)
            if name == "provider" and body["k"] in WITHHOLD_PROVIDER:
                label = "y"
            if label and label in texts and texts[label] is None:
                if label not in gone:
                    continue
                # What a tombstone stands for must be gone from the index too.
                value = UNDISCLOSED if name == "provider" else None  # noqa: PLW2901  # erased
            if getattr(row, name) != value:
                self._findings.add("index", at, f"{name} in the search index is not the entry's")

    def _index_values(
        self, body: Mapping[str, Any], texts: Mapping[str, dict[str, Any] | None]
    ) -> dict[str, Any]:
        subject, actor, detail = (texts.get(label) or {} for label in ("s", "a", "y"))
        blinded = {
            "subject_blind": ("sub", subject.get("client")),
            "actor_blind": ("act", actor.get("user")),
            "consent_blind": ("con", consent_in(detail)),
        }
        request = body.get("q")
        withheld = body["k"] in WITHHOLD_PROVIDER
        return {
            "t": body["t"],
            "kind": body["k"],
            "outcome": body["o"],
            "provider": detail.get("provider", body.get("p")) if withheld else body.get("p"),
            "consumer": body.get("c"),
            "purpose": body.get("u"),
            "application": body.get("ap"),
            "request": UUID(request).bytes if request else None,
            "event_id": UUID(body["id"]).bytes,
        } | {
            name: self._keys.blind(use, identifier) if identifier else None
            for name, (use, identifier) in blinded.items()
        }
