"""What an operator does for framework agreements, on behalf of their parties or of the broker.

One function a verb, as in `operations`: plain JSON in, one result out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from consent.belgian_time import day_of, instant, time_of
from exchange.agreement_book import Book, Taken, Version, book_of, books, canonical_text
from exchange.agreement_files import AgreementRefused, fitting
from exchange.flows.apply_agreements import AgreementDocuments, apply_agreements
from exchange.flows.change_agreement import AgreementAct, change_agreement
from exchange.flows.keep_agreements import to_review
from exchange.operations import Line, OperationRefused
from exchange.security.agreement_signatures import signable, signer_of_text
from exchange.services import SHARD, Services
from exchange.settings import Profile
from exchange.suppositions import asked_more
from policies.agreement_document import SUSPENSION_REASONS
from policies.agreement_life import THE_BROKER, Act, Step
from policies.agreement_text import text_of
from policies.agreements import Agreement, incomplete
from policies.decision import Refused
from policies.vocabulary import AgreementId, OrganisationId

_WORDS = {
    "unknown": "there is no such agreement, or no such version of it",
    "later": "that day has yet to come",
    "unfit": "that can not stand in an agreement; what does not fit is",
    "signature": "no machine of that party that may come in now has made this signature",
    "not_a_party": "it is no party to the agreement",
    "incomplete": "it is not complete",
    "advised_against": "a data protection officer advised against it; that takes a new version",
    "advice_later": "an advice is of a later day than the signature",
    "not_advised": "both data protection officers advise first",
    "not_signed": "not every party has signed",
    "not_published": "not every party has published it",
    "not_active": "it is not active",
    "settled": "it is signed; what changes now takes a new version",
    "already": "that was done already",
    "not_imposed_by_it": "it has imposed no such suspension; who imposed one lifts it",
    "over": "its last day is past",
    "superseded": "a newer version is in use",
    "ended": "it has ended, and what has ended never comes back",
    "operator": "say who you are: --operator; another operator says the same within a day",
    "same-operator": "another operator says the same, not you once more",
}


def agreements_apply(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Keep the agreements in `documents`; one that is not complete is kept and not in force."""
    read: list[Agreement] = []
    seen: set[tuple[str, str | None]] = set()
    known, lines = services.directory(), asked.get("lines") or {}
    for name, document in asked["documents"].items():
        try:
            agreement = fitting(document, known.organisations, lines.get(name))
        except AgreementRefused as error:
            raise OperationRefused(f"{name} does not fit: {error}") from None
        if not signable(canonical_text(text_of(document))[0]):
            raise OperationRefused(
                f"{name} does not fit: it is longer than 60,000 bytes, or not in Unicode form NFC"
            )
        if agreement.version is None or (agreement.id, agreement.version) in seen:
            why = "is in two files" if agreement.version else "has no version"
            raise OperationRefused(f"{name} does not fit: this version of {agreement.id} {why}")
        seen.add((agreement.id, agreement.version))
        read.append(replace(agreement, analysed=known.analysed))
    two = services.settings.profile is Profile.PRODUCTION
    order = AgreementDocuments(tuple(asked["documents"].values()), asked.get("operator"), two)
    more = asked_more(services, asked["documents"].values())
    applied = services.writer.submit(apply_agreements, order).result().value
    if isinstance(applied, Refused):
        raise _refused(*applied.details)
    yield {
        "changed": applied.changed,
        "unchanged": applied.unchanged,
        "waiting": applied.waiting,
        "incomplete": _lacking(services, read),
        "asks_more": more,
        "untaken": {
            name: [{"act": act, "by": by, "why": _WORDS[why]} for act, by, why in steps]
            for name, steps in applied.untaken.items()
        },
    }


def _lacking(services: Services, read: Iterable[Agreement]) -> dict[str, list[str]]:
    """What each lacks as it is kept, whatever was done since its file was written."""
    with services.database.reading() as connection:
        kept = books(connection, shard=SHARD)
    lacking = {}
    for each in read:
        version = kept[each.id].named(str(each.version)) if each.id in kept else None
        if missing := incomplete(each if version is None else version.agreement):
            lacking[str(each.id)] = [f"{element} ({source})" for element, source in missing]
    return lacking


def agreements_list(services: Services, _asked: Mapping[str, Any]) -> Iterator[Line]:
    """Every agreement: its version in use, what it is worth today, and when its review is due."""
    today = _today(services)
    with services.database.reading() as connection:
        found = books(connection, shard=SHARD)
    yield {"agreements": [_line(each, today) for each in found.values()]}


def agreements_show(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """One version: its document, its steps, what suspends it; each signature checked anew."""
    today = _today(services)
    book = _book(services, asked)
    version = book.current(today) if asked.get("version") is None else book.named(asked["version"])
    if version is None:
        raise _refused("unknown")
    yield _line(book, today) | {
        "version": version.version,
        "state": version.agreement.state.value,
        "standing": version.standing(today).value,
        "hash": version.hash,
        "document": version.document,
        "missing": [f"{element} ({rule})" for element, rule in incomplete(version.agreement)],
        "steps": [_step(services, version, each) for each in version.steps],
        "versions": [_version(each, today) for each in book.versions],
    }


def agreements_text(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """The canonical text of a version, as its parties sign it, and its hash."""
    version = _book(services, asked).named(asked["version"])
    if version is None:
        raise _refused("unknown")
    yield {"text": version.text, "hash": version.hash}


def _acting(act: Act, *said: str) -> Callable[[Services, Mapping[str, Any]], Iterator[Line]]:
    def verb(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
        step = Step(
            act=act,
            on=_day(asked.get("on")) or _today(services),
            by=OrganisationId(asked.get("by") or THE_BROKER),
            **{name: asked.get(name) for name in said},
        )
        if act is Act.SUSPENDED and step.reason not in SUSPENSION_REASONS[:-1]:
            raise OperationRefused(f"reasons are {', '.join(SUSPENSION_REASONS[:-1])}")
        order = AgreementAct(
            AgreementId(asked["agreement"]), asked.get("version"), step, asked.get("signature")
        )
        done = services.writer.submit(change_agreement, order).result().value
        if isinstance(done, Refused):
            raise _refused(*done.details)
        yield {"agreement": done.name, "act": act.value, "state": done.state}

    return verb


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "agreements apply": agreements_apply,
    "agreements list": agreements_list,
    "agreements show": agreements_show,
    "agreements text": agreements_text,
    "agreements advise": _acting(Act.ADVISED, "outcome", "remarks"),
    "agreements authority-advice": _acting(Act.AUTHORITY_ADVISED, "body", "reference"),
    "agreements sign": _acting(Act.SIGNED),
    "agreements publish": _acting(Act.PUBLISHED, "url"),
    "agreements activate": _acting(Act.ACTIVATED),
    "agreements review": _acting(Act.REVIEWED),
    "agreements end": _acting(Act.ENDED, "reason"),
    "agreements suspend": _acting(Act.SUSPENDED, "reason"),
    "agreements lift": _acting(Act.LIFTED, "reason"),
}


def review_due(version: Version, on: date) -> bool:
    """Whether a version in use comes to its review within sixty days, or is past it."""
    return version.live and to_review(version.agreement, on)


def _line(book: Book, today: date) -> Line:
    version = book.current(today)
    agreement = version.agreement
    return {
        "agreement": book.id,
        "title": agreement.title,
        "parties": [each.org for each in agreement.parties],
        "review_on": _said(agreement.review_on),
        "review_due": review_due(version, today),
        "suspended": [
            {"on": _said(each.on), "by": each.by, "reason": each.reason_code}
            for each in version.life.holds
        ],
    } | _version(version, today)


def _version(version: Version, today: date) -> Line:
    agreement = version.agreement
    return {
        "version": version.version,
        "hash": version.hash,
        "state": agreement.state.value,
        "standing": version.standing(today).value,
        "valid_from": _said(agreement.valid_from),
        "valid_until": _said(agreement.valid_until),
    }


def _step(services: Services, version: Version, taken: Taken) -> Line:
    said = {k: v for k, v in asdict(taken.step).items() if v is not None}
    line = said | {
        "on": _said(taken.step.on),
        "taken_at": time_of(taken.taken_at).isoformat(),
        "on_paper": taken.on_paper,
    }
    if made := taken.signature:
        holds = signer_of_text(made.jws, version.text, services.clock()) == made.key
        line["signature"] = asdict(made) | {"holds": holds}
    return line


def _book(services: Services, asked: Mapping[str, Any]) -> Book:
    with services.database.reading() as connection:
        id = AgreementId(asked["agreement"])
        found = book_of(connection, shard=SHARD, agreement=id)
    if found is None:
        raise _refused("unknown")
    return found


def _refused(what: str, *more: str) -> OperationRefused:
    if what == "text":
        name, *where = more
        return OperationRefused(
            f"{name} is kept with another text, which differs in {', '.join(where)}; "
            "give the new text a new version; nothing has changed"
        )
    return OperationRefused(": ".join([_WORDS[what], *([", ".join(more)] if more else [])]))


def _today(services: Services) -> date:
    return day_of(instant(services.clock()))


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise OperationRefused(f"{text} is no day; write it as 2027-12-31") from None


def _said(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
