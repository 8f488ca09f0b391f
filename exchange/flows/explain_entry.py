"""Explain an entry of the log: what was decided then, for its holder or an oversight auditor.

Only what the log kept is told, and nothing is decided anew. To who was refused the entry does not
exist here. The look is logged, with whose it was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from audit import log, records, search
from audit.events import Actor, AuditInspected
from audit.records import LIVE
from audit.search import Filter, Hit
from audit.subjects import KEPT_BACK
from consent.belgian_time import day_of
from consent.turning import spoken, turned_at
from exchange.considering import Rulebook, asking_for
from exchange.records import client_with_id
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.explaining import Account, Audience, Grounds
from policies.vocabulary import NOBODY, ClientId, ConsentId, OrganisationId, Reason, Section
from policies.withholding import kept_fields

EVERYTHING = "audit-all"
"""The scope of an oversight auditor; the other one reaches what the organisation gave itself."""

_GONE = ("", "shredded", "expired", "lost")
_DECIDED = {"permit": True, "deny": False}
_ALL_WELL = frozenset({"OK", "OK_FILTERED"})


@dataclass(frozen=True, slots=True)
class Explained:
    """The entry, and the account of it; or in `gone` what became of that, as a code."""

    index: int
    kind: str
    at: int
    account: Account | None
    gone: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry opened: its leaf's values, and of its parts y and s what can still be read."""

    index: int
    body: Mapping[str, Any]
    detail: Mapping[str, Any] | None
    whose: Mapping[str, Any]
    gone: str | None

    @property
    def client(self) -> ClientId:
        return ClientId(self.whose.get("client", NOBODY))


@by_application
def explain_entry(
    tx: Transaction,
    caller: Caller,
    index: int,
    audience: Audience,
    rulebook: Rulebook,
) -> Outcome[Explained]:
    """What the entry says of a decision. What law keeps from the client is not told in its tone.

    Rules speak in the words that they have today.
    """
    says = rulebook.decider.rules.says
    within = {"shard": tx.shard, "start": index, "stop": index + 1}
    mine = f"org:{caller.organisation}"
    rows = records.index_between(tx.connection, **within)
    may = EVERYTHING in caller.scopes or any(row.provider == mine for row in rows)
    found = dict(log.entries(tx.connection, **within)) if may else {}
    entry = _opened(tx, index, found[index]) if found else None
    if entry is None or (audience is Audience.CLIENT and _kept_back(tx, entry)):
        event = _asked(caller, NOBODY, index, audience, found=0)
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (event,))
    explained = Explained(
        index=index,
        kind=entry.body["k"],
        at=entry.body["t"],
        account=None if entry.gone else _account(tx, entry, says),
        gone=entry.gone,
    )
    return Outcome(explained, (_asked(caller, entry.client, index, audience, found=1),))


def _opened(tx: Transaction, index: int, leaf: bytes) -> _Entry:
    body = json.loads(leaf)
    parts = {part.label: part for part in log.parts_of(tx.connection, shard=tx.shard, index=index)}
    texts = {
        label: search.text_of(body, part, tx.keys)
        for label, part in parts.items()
        if label in ("s", "y")
    }
    said = {label: json.loads(text) for label, text in texts.items() if text is not None}
    gone = None
    if "y" in texts and "y" not in said:
        gone = _GONE[parts["y"].state] if parts["y"].state != LIVE else "unreadable"
    return _Entry(index, body, said.get("y"), said.get("s", {}), gone)


def _kept_back(tx: Transaction, entry: _Entry) -> bool:
    if entry.whose.get("ser") != KEPT_BACK:
        return False
    hidden = search.kept_back(
        tx.connection, shard=tx.shard, client=entry.client, keys=tx.keys, at=tx.now
    )
    return entry.index in hidden


def _account(tx: Transaction, entry: _Entry, says: Mapping[str, Mapping[str, str]]) -> Account:
    body, detail = entry.body, entry.detail or {}
    permit = _DECIDED.get(body["o"])
    recipient = OrganisationId(body["c"].removeprefix("org:")) if "c" in body else None
    reason, steps = detail.get("reason"), detail.get("trace", ())
    fields = frozenset(detail.get("fields", ()))
    asked = [Section(each) for each in body.get("d", ()) if each in Section.__members__.values()]
    kept = kept_fields(body.get("u", ""), asked, fields) if "fields" in detail else ()
    return Account(
        permit=permit,
        reason=None if reason in _ALL_WELL else reason,
        who=None if recipient is None else tx.directory.names.get(recipient, recipient),
        # A gate that held stands there alone: nothing is written for what there is none of.
        trace=tuple((each[0], each[1] if len(each) > 1 else None) for each in steps),
        turned=_turned(tx, entry, recipient, reason) if permit is False and recipient else None,
        grounds=Grounds(
            agreement=detail.get("protocol"),
            basis=detail.get("basis"),
            consents=tuple(detail.get("consents", ())),
            grants=tuple(detail.get("grants", ())),
            notices=_notices(tx, entry, detail.get("consents", ())),
        ),
        withheld={"not_recorded": kept} if kept else {},
        partly=reason == "OK_FILTERED",
        says=says,
    )


def _turned(
    tx: Transaction, entry: _Entry, recipient: OrganisationId, reason: str | None
) -> date | None:
    client = client_with_id(tx.connection, shard=tx.shard, client=entry.client)
    asking = asking_for(tx, client, recipient, entry.body.get("u", ""), None)
    words = spoken(tx.connection, shard=tx.shard, client=client.id, sealing=tx.vault)
    then = entry.body["t"]
    at = turned_at(words, asking, reason, before=then, today=day_of(then))
    return None if at is None else day_of(at)


def _notices(tx: Transaction, entry: _Entry, consents: tuple[ConsentId, ...]) -> tuple[str, ...]:
    """The texts on which these consents stood then, as the log has them."""
    hits = list[Hit]()
    for consent in consents:
        wanted = Filter(
            consent=tx.keys.blind("con", consent),
            whose=tx.keys.blind("sub", entry.client),
            kinds=("consent.given", "consent.renewed"),
        )
        hits += search.find(
            tx.connection, shard=tx.shard, wanted=wanted, limit=1, before=entry.index, keys=tx.keys
        ).hits
    told = search.opened(tx.connection, shard=tx.shard, hits=hits, labels=("y",), keys=tx.keys)
    notices = (told[hit.index].get("y", {}).get("notice") for hit in hits)
    return tuple(dict.fromkeys(filter(None, notices)))


def _asked(
    caller: Caller, client: ClientId, index: int, audience: Audience, *, found: int
) -> AuditInspected:
    return AuditInspected(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        consumer=caller.organisation,
        filter={"explained": audience.value, "index": index},
        found=found,
    )
