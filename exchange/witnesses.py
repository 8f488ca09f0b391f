"""Those who sign what the log says of itself: asked beside the requests, never within one."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import Connection

from audit import published
from audit.checkpoints import Checkpoint
from audit.policy import NO_WITNESSES, Named, Policy
from audit.published import Cosigned
from audit.witnessing import (
    MAX_BODY,
    Answer,
    Call,
    Disputed,
    Prove,
    Refused,
    Unreachable,
    head_known_to,
    submit,
)
from exchange.observability import log

SECONDS = 5.0
"""How long a witness may take to answer."""
LONGEST_PAUSE = 60.0
"""Seconds until one that did not answer is asked again, at most."""
HEADS = 1000
"""How many cosigned heads are looked at to find the last that had a quorum."""
_SECOND = 1_000_000


@dataclass(slots=True)
class _Standing:
    """What became of a witness's last requests."""

    size: int = 0
    failures: int = 0
    asked_from: float = 0.0


class Witnesses:
    """The witnesses of a policy. Used by one thread at a time."""

    def __init__(
        self,
        policy: Policy = NO_WITNESSES,
        call: Call | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy, self._call, self._monotonic = policy, call or over_http, monotonic
        self._standing = {name: _Standing() for name in policy.witnesses}

    def gather(self, checkpoint: Checkpoint, note: str, prove: Prove) -> list[Cosigned]:
        """The lines of all who sign now. Who did not answer of late is asked less often.

        Raises `Disputed` when a witness says that it knows another log of ours.
        """
        now = self._monotonic()
        due = [name for name, each in self._standing.items() if each.asked_from <= now]
        if not due:
            return []
        with ThreadPoolExecutor(len(due), thread_name_prefix="witness") as threads:
            asked = [threads.submit(self._one, name, checkpoint, note, prove) for name in due]
        found = [each.result() for each in asked]
        if any(each is Disputed for each in found):
            raise Disputed
        return [each for each in found if isinstance(each, Cosigned)]

    def known_heads(self, origin: str, vkeys: Sequence[str]) -> list[Checkpoint]:
        """Heads of this log that witnesses show and our own keys signed."""
        found = []
        for witness in self.policy.witnesses.values():
            try:
                head = head_known_to(witness, origin, vkeys, call=self._call)
            except Unreachable:
                continue
            found += [] if head is None else [head]
        return found

    def _one(
        self, name: str, checkpoint: Checkpoint, note: str, prove: Prove
    ) -> Cosigned | type[Disputed] | None:
        witness: Named = self.policy.witnesses[name]
        standing = self._standing[name]
        try:
            signature = submit(
                witness, checkpoint, note, old=standing.size, prove=prove, call=self._call
            )
        except Disputed:
            return Disputed
        except (Unreachable, Refused) as error:
            standing.failures += 1
            pause = min(2.0 ** min(standing.failures - 1, 10), LONGEST_PAUSE)
            standing.asked_from = self._monotonic() + pause
            log.warning("witness.silent", failure=type(error).__name__, count=standing.failures)
            return None
        standing.size, standing.failures = checkpoint.size, 0
        return Cosigned(name, signature.seconds, signature.line.text)


def last_quorum(connection: Connection, policy: Policy, *, shard: int) -> int | None:
    """When enough witnesses last signed one head, in µs; else when the first was published.

    Nothing when no head was ever published.
    """
    for size in published.cosigned_sizes(connection, shard=shard, most=HEADS):
        lines = published.cosigned(connection, shard=shard, size=size)
        if policy.met_by({each.witness for each in lines}):
            return max(each.at for each in lines) * _SECOND
    return published.first_published_at(connection, shard=shard)


def is_quorum(policy: Policy, lines: Iterable[Cosigned]) -> bool:
    """Whether those whose lines these are make the quorum."""
    names: Collection[str] = {each.witness for each in lines}
    return policy.met_by(names)


def over_http(url: str, body: bytes | None) -> Answer:
    """One request, bounded in time and in what is read; redirects are not followed."""
    method = "GET" if body is None else "POST"
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    until = time.monotonic() + SECONDS
    options: Any = {"timeout": SECONDS, "trust_env": False, "follow_redirects": False}
    try:
        with (
            httpx2.Client(**options) as client,
            client.stream(method, url, content=body, headers=headers) as answer,
        ):
            read = b""
            for piece in answer.iter_raw():
                read += piece
                if len(read) > MAX_BODY or time.monotonic() > until:
                    raise Unreachable
            return Answer(answer.status_code, answer.headers.get("content-type", ""), read)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        raise Unreachable from None
