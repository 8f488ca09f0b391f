"""The life of agreements: every version's text, and every step. Expands only.

What stands in the directory becomes the first version of each, with the steps that its document
tells of; the document itself stays as it is, so that no decision changes.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0018_agreement_life", "0017_consent_requests"

BROKER = "app:broker"
VERSION, STEP = "agreement_version", "agreement_step"
OF_VERSION = {
    "agreement": "length(agreement) = 11",
    "version": "length(version) BETWEEN 1 AND 20",
    "hash": "length(hash) = 64",
    "text": "length(text) <= 60000",
}
OF_STEP = {
    "act": "length(act) <= 20",
    "party": "length(party) BETWEEN 1 AND 60",
    "day": "length(day) = 10",
    "said": "length(said) <= 120000",
}


def upgrade() -> None:
    op.create_table(
        VERSION,
        sa.Column("shard", sa.Integer(), nullable=False),
        *(sa.Column(each, sa.String(), nullable=False) for each in ("agreement", "version")),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        *(sa.Column(each, sa.String(), nullable=False) for each in ("text", "hash")),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        *(
            sa.CheckConstraint(said, name=f"ck_{VERSION}_{each}")
            for each, said in OF_VERSION.items()
        ),
        sa.PrimaryKeyConstraint("shard", "agreement", "version", name=op.f(f"pk_{VERSION}")),
    )
    op.create_table(
        STEP,
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        *(
            sa.Column(each, sa.String(), nullable=False)
            for each in ("version", "act", "party", "day", "said")
        ),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        *(sa.CheckConstraint(said, name=f"ck_{STEP}_{each}") for each, said in OF_STEP.items()),
        sa.ForeignKeyConstraint(
            ["shard", "agreement", "version"],
            [f"{VERSION}.shard", f"{VERSION}.agreement", f"{VERSION}.version"],
            name="fk_agreement_step_version",
        ),
        sa.PrimaryKeyConstraint("shard", "agreement", "ordinal", name=op.f(f"pk_{STEP}")),
    )
    _keep_what_stands(op.get_bind())


def _keep_what_stands(connection: sa.Connection) -> None:
    found = connection.execute(
        sa.text("SELECT shard, id, document FROM directory_entry WHERE kind = 'agreement'")
    ).all()
    now = time.time_ns() // 1000
    for shard, id, written in found:
        document = json.loads(written)
        if not document.get("version"):
            continue
        key = {"shard": shard, "agreement": id, "version": document["version"]}
        text = _canonical(_text(document))
        named = hashlib.sha256(text.encode()).hexdigest()
        kept = {**key, "ordinal": 1, "text": text, "hash": named, "kept_at": now}
        connection.execute(_table(VERSION, kept).insert(), kept)
        for ordinal, (act, party, day, said) in enumerate(_steps(document), 1):
            told = {name: value for name, value in said.items() if value is not None}
            row = {**key, "ordinal": ordinal, "act": act, "party": party, "day": day}
            row |= {"said": _canonical({**told, "on_paper": True}), "taken_at": now}
            connection.execute(_table(STEP, row).insert(), row)


def _table(name: str, row: dict[str, Any]) -> sa.TableClause:
    return sa.table(name, *map(sa.column, row))


def _text(document: dict[str, Any]) -> dict[str, Any]:
    text = {
        k: v for k, v in document.items() if k not in {"state", "authority_advice", "suspended"}
    }
    done = {"dpo_advice", "signed_on", "published"}
    if "parties" in text:
        text["parties"] = [
            {k: v for k, v in party.items() if k not in done} for party in text["parties"]
        ]
    return text


def _steps(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    parties, state = document.get("parties", []), document["state"]
    for each in parties:
        if advice := each.get("dpo_advice"):
            said = {"outcome": advice["outcome"], "remarks": advice.get("remarks")}
            yield "advised", each["org"], advice["date"], said
    if told := document.get("authority_advice"):
        said = {"body": told["body"], "reference": told.get("reference")}
        yield "authority_advised", BROKER, told["date"], said
    for each in parties:
        if each.get("signed_on"):
            yield "signed", each["org"], each["signed_on"], {}
    for each in parties:
        if there := each.get("published"):
            yield "published", each["org"], there["on"], {"url": there["url"]}
    first = document.get("valid_from") or "1970-01-01"
    if state in {"active", "in_review", "suspended", "ended"}:
        yield "activated", BROKER, first, {}
    if state == "in_review":
        yield "reviewed", BROKER, first, {}
    held = document.get("suspended")
    if held or state == "suspended":
        held = held or {"on": first, "by": BROKER, "reason_code": "under_review"}
        yield "suspended", held["by"], held["on"], {"reason": held["reason_code"]}
    if state == "ended":
        last = document.get("valid_until") or first
        yield "ended", BROKER, last, {"reason": "ended_on_paper"}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def downgrade() -> None:
    op.drop_table(STEP)
    op.drop_table(VERSION)
