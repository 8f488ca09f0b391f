"""What an operator may ask for: one function a verb, run by the server or by the command line.

Each takes the services and plain JSON, and yields plain JSON: any number of progress lines
(`{"progress": …}`), then one result. Raises `OperationRefused` with words for the operator.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from audit.signer import ClockBehind, Frozen
from consent import records as consents
from consent.notice_report import report_on
from consent.notices import NoticeRefused, read_notice
from exchange.checkpointing import Elsewhere
from exchange.directory import Member
from exchange.flows.administer import (
    apply_documents,
    apply_members,
    apply_notices,
)
from exchange.importing import Import, ImportRefused
from exchange.services import SHARD, Services
from policies.decision import Refused
from policies.documents import UnfitDocument
from policies.organisations import read_directory

Line = dict[str, Any]


class OperationRefused(Exception):
    """What was asked can not be done: what is wrong, and what to do. Nothing has changed."""


def organisations_apply(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Store the directory of organisations and partnerships in `document`."""
    document = asked["document"]
    try:
        read_directory(document)
    except UnfitDocument as error:
        raise OperationRefused(f"the directory does not fit: {error}") from None
    yield _applied(
        services,
        {
            "organisation": {each["id"]: each for each in document["organisations"]},
            "partnership": {each["id"]: each for each in document.get("partnerships", ())},
        },
    )


def notices_apply(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Put the notices in `texts` (by file name) into use; says of all in use what is amiss."""
    notices = []
    for name, text in asked["texts"].items():
        try:
            notices.append(read_notice(text.encode()))
        except NoticeRefused as error:
            raise OperationRefused(f"{name} is no notice: {error}") from None
    applied = services.writer.submit(apply_notices, notices).result().value
    if isinstance(applied, Refused):
        raise OperationRefused(
            f"{applied.details[0]} is in use with another text; give the new text a new version"
        )
    with services.database.reading() as connection:
        in_use = report_on(consents.notices_in(connection, shard=SHARD))
    yield {
        "changed": applied.changed,
        "unchanged": applied.unchanged,
        "undeclared": list(in_use.undeclared),
        "lagging": {name: list(langs) for name, langs in in_use.lagging.items()},
    }


def members_apply(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Store members of staff: `members`, each with id, organisation, roles and perhaps a site."""
    members = [_member(each) for each in asked["document"].get("members", ())]
    applied = services.writer.submit(apply_members, members).result().value
    if isinstance(applied, Refused):
        raise OperationRefused(f"unknown organisation: {', '.join(applied.details)}")
    yield {"changed": applied.changed, "unchanged": applied.unchanged}


def import_run(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Import the export at `path` as clients of `organisation`; progress, then the report."""
    path = Path(asked["path"])
    try:
        run = Import(
            services,
            asked["kind"],
            asked["organisation"],
            dry_run=bool(asked.get("dry_run")),
            mapping=asked.get("mapping") or "",
        )
        total = run.total(path)
        said = 0
        for taken in run.run(path):
            if taken >= said + max(1, total // 200):
                said = taken
                yield {"progress": taken, "total": total}
    except ImportRefused as error:
        raise OperationRefused(str(error)) from None
    yield run.report.document()


def audit_checkpoint(services: Services, _asked: Mapping[str, Any]) -> Iterator[Line]:
    """Sign the log's head now, have it witnessed and publish it; without growth, show it again."""
    try:
        done = services.checkpointing.once(again=True)
    except Frozen as frozen:
        raise OperationRefused(f"the log is not signed: {frozen.why}") from None
    except ClockBehind:
        raise OperationRefused("the clock is before the last signing; mend the clock") from None
    except Elsewhere:
        raise OperationRefused("another process signs this log; ask that one") from None
    if done is None:
        raise OperationRefused("there is nothing to sign")
    yield {
        "size": done.size,
        "root": done.root.hex(),
        "note": done.note + "".join(each.line for each in done.cosigned),
        "witnesses": [each.witness for each in done.cosigned],
        "quorum": done.quorum,
    }


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "organisations apply": organisations_apply,
    "notices apply": notices_apply,
    "members apply": members_apply,
    "import": import_run,
    "audit checkpoint": audit_checkpoint,
}


def _applied(services: Services, documents: Mapping[str, Mapping[str, Any]]) -> Line:
    plain = json.loads(json.dumps(documents, default=str))
    applied = services.writer.submit(apply_documents, plain).result().value
    if isinstance(applied, Refused):
        raise OperationRefused("the documents were refused")
    return {"changed": applied.changed, "unchanged": applied.unchanged}


def _member(said: Any) -> Member:
    try:
        return Member(
            shard=0,
            organisation=str(said["organisation"]),
            id=_number(said["id"]),
            roles=" ".join(sorted(_role(each) for each in said["roles"])),
            site=said.get("site"),
        )
    except (KeyError, TypeError):
        raise OperationRefused("a member needs id, organisation and roles") from None


def _number(id: Any) -> str:
    # It stands in the log for ever: no name has its form.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59}", str(id)):
        raise OperationRefused("a member's id is a number or code of its own, never a name")
    return str(id)


def _role(role: Any) -> str:
    if role not in ROLES:
        raise OperationRefused(f"unknown role; choose from {', '.join(sorted(ROLES))}")
    return str(role)


ROLES = frozenset({"counsellor", "partner_staff", "privacy_officer", "auditor", "administrator"})
