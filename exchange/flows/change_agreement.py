"""One act on a framework agreement: advise, sign, publish, activate, review, end, suspend, lift.

It counts in the commit that keeps it: the next decision reads the agreement as it is then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from audit.events import AdminChanged
from exchange.agreement_book import Book, Signature, Version, book_of
from exchange.agreement_keeping import take
from exchange.security.agreement_signatures import signer_of_text
from exchange.security.public_keys import KeyRefused, key_material
from exchange.transaction import Outcome, Transaction
from policies.agreement_life import Act, Obstacle, Step, lacking_for_signature, taken
from policies.agreement_text import filled
from policies.agreements import AgreementState, Standing, incomplete, read_agreement
from policies.decision import Refused
from policies.documents import UnfitDocument
from policies.vocabulary import AgreementId, OrganisationId, Reason

_WITHOUT_ELEMENTS = {Obstacle.INCOMPLETE, Obstacle.NOT_ADVISED}


@dataclass(frozen=True, slots=True)
class AgreementAct:
    """An act on a version; without one, on the version in use. `jws` is of a signature."""

    agreement: AgreementId
    version: str | None
    step: Step
    jws: str | None = None


@dataclass(frozen=True, slots=True)
class AgreementChanged:
    """The version (`PR-2026-001/2.0`) and its state after the act; `suspended` while it is."""

    name: str
    state: str


def change_agreement(tx: Transaction, order: AgreementAct) -> Outcome[AgreementChanged]:
    """Do the act, or say what stands in the way: `details` names it, then what is missing."""
    step = order.step
    book = book_of(tx.connection, shard=tx.shard, agreement=order.agreement)
    version = _version(tx, book, order.version)
    if book is None or version is None:
        return _refused("unknown")
    # A suspension may be told beforehand; all else has happened.
    if step.on > tx.day and step.act is not Act.SUSPENDED:
        return _refused(Obstacle.LATER.value)
    made = None
    if step.act is Act.SIGNED:
        made = _signature(tx, version, step.by, order.jws or "")
        if made is None:
            return _refused("signature")
    if place := _unfit(version, step):
        return _refused("unfit", place)
    if why := take(tx, book, version, step, made):
        return _refused(why.value, *_missing(version, step, why))
    after = book_of(tx.connection, shard=tx.shard, agreement=book.id)
    now = after.named(version.version) if after else None
    event = AdminChanged(what="agreement", act=step.act.value, id=version.name)
    state = "" if now is None else _state(now, tx.day)
    return Outcome(AgreementChanged(version.name, state), (event,))


def _state(version: Version, on: date) -> str:
    suspended = version.standing(on) is Standing.SUSPENDED
    return (AgreementState.SUSPENDED if suspended else version.agreement.state).value


def _unfit(version: Version, step: Step) -> str:
    """Where the document would no longer be one that can be read: what is kept stays for ever."""
    try:
        read_agreement(filled(json.loads(version.text), taken(version.life, step)))
    except UnfitDocument as error:
        return error.place
    return ""


def _version(tx: Transaction, book: Book | None, version: str | None) -> Version | None:
    if book is None:
        return None
    return book.current(tx.day) if version is None else book.named(version)


def _signature(
    tx: Transaction, version: Version, party: OrganisationId, jws: str
) -> Signature | None:
    """The signature, if a machine of that party that may come in now has its key."""
    signer = signer_of_text(jws, version.text, tx.at)
    for each in tx.directory.applications.values():
        if each.organisation != party or not each.live(tx.now):
            continue
        for jwk in (each.key, each.former):
            if jwk and each.key_named(str(jwk["kid"]), tx.now) and signer == _thumbprint(jwk):
                return Signature(jws, signer, each.id)
    return None


def _thumbprint(jwk: Mapping[str, Any]) -> str:
    try:
        return key_material(jwk)[2]
    except KeyRefused:
        return ""


def _missing(version: Version, step: Step, why: Obstacle) -> tuple[str, ...]:
    if why not in _WITHOUT_ELEMENTS:
        return ()
    agreement = version.agreement
    asked = lacking_for_signature if step.act is Act.SIGNED else incomplete
    return tuple(f"{element} ({rule})" for element, rule in asked(agreement))


def _refused(*details: str) -> Outcome[AgreementChanged]:
    reason = Reason.CONTENT_REFUSED
    return Outcome(Refused(reason, told=reason, details=details))
