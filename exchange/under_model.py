"""Another summary model, asked in a process of its own: everywhere else there is one only.

What a model says is worked out once in a process, and remembered in many places. So another one
is known from the start of that process on, or not at all.
"""

import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from typing import IO, Any

from consent.content import denied_fields
from consent.notices import NoticeLibrary
from consent.standing import ConsentFacts
from exchange.directory import Directory
from exchange.supposing import Lane, World, facts_in
from policies.agreements import read_agreement
from policies.at_most import read_levels
from policies.bases import gives
from policies.decision import Facts, GrantFacts
from policies.gates import Decider
from policies.organisations import read_directory
from policies.risk_analysis import RISK_ANALYSIS, analysed_in
from policies.site_rules import load_overlay
from policies.summary_model import summary_model
from policies.vocabulary import FieldId
from policies.what_if import Release

ENTRY = "exchange.another_model"
Documents = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By kind and id, as they are stored."""


class ModelRefused(Exception):
    """The broker would not start with this model. Says why."""


@contextmanager
def under_model(
    today: World, model: bytes, documents: Documents, own: Mapping[str, str], day: date
) -> Iterator[World]:
    """Today's world under another model, for as long as its process is needed.

    `own` are the installation's own rules, by file: they hold under that model as well.
    Raises `ModelRefused`, also when the purposes or an agreement do not fit the model.
    """
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", ENTRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        ask = partial(_ask, process)
        if refused := ask((model, documents, own, day)):
            raise ModelRefused(refused)
        yield replace(today, elsewhere=lambda lane, facts: ask((lane, _with_levels(facts))))


def _ask(process: "subprocess.Popen[bytes]", said: Any) -> Any:
    if process.stdin is None or process.stdout is None:
        raise ModelRefused("its process has no pipes")
    try:
        pickle.dump(said, process.stdin)
        process.stdin.flush()
        return pickle.load(process.stdout)  # noqa: S301 - of our own process
    except (EOFError, OSError):
        raise ModelRefused("its process has ended; see what it wrote") from None


def answer_all(
    documents: Documents, own: Mapping[str, str], day: date, asked: IO[bytes], told: IO[bytes]
) -> None:
    """Answer what is asked of the model of this process, until nothing more is."""
    decider = Decider(load_overlay(site=own))
    directory = _directory(documents)
    _tell(told, "")
    while True:
        try:
            lane, facts = pickle.load(asked)  # noqa: S301 - of the process that started us
        except EOFError:
            return
        _tell(told, _release(directory, decider, day, lane, facts))


def _tell(told: IO[bytes], answer: Any) -> None:
    pickle.dump(answer, told)
    told.flush()


def _directory(documents: Documents) -> Directory:
    known = read_directory(
        {
            "organisations": list(documents["organisation"].values()),
            "partnerships": list(documents["partnership"].values()),
        }
    )
    analysed = analysed_in(documents.get(RISK_ANALYSIS, {}).values())
    return Directory(
        version=0,
        organisations={each.id: each for each in known.organisations},
        partnerships={each.id: each for each in known.partnerships},
        agreements=tuple(
            read_agreement(each, analysed) for each in documents["agreement"].values()
        ),
        analysed=analysed,
        applications={},
        notices=NoticeLibrary(()),
    )


def _release(
    directory: Directory, decider: Decider, day: date, lane: Lane, facts: Facts
) -> Release:
    """The release on facts that were read under the other model, read again under this one."""
    basis = facts.basis and replace(facts.basis, fields=gives(lane.purpose))
    said = ConsentFacts(
        grants=tuple(map(_read_again, facts.grants)),
        refs=(),
        denied=denied_fields(tuple(sorted({each.partition(".")[0] for each in facts.denied}))),
        refused=facts.refused,
    )
    again = facts_in(
        directory,
        day,
        lane.request,
        lane.holder,
        said,
        known=facts.known,
        blocked=facts.blocked,
        care_relation=facts.care_relation,
        basis=basis,
    )
    return World(directory, decider).release(lane, again, day)


def _with_levels(facts: Facts) -> Facts:
    """With the level of each field that has one only: the other model may have more of it."""
    return replace(facts, grants=tuple(map(_all_levels, facts.grants)))


def _all_levels(grant: GrantFacts) -> GrantFacts:
    known = summary_model().fields
    alone: dict[FieldId, str] = {
        each: known[each].precision[0]
        for each in grant.fields
        if each in known and len(known[each].precision) == 1
    }
    return replace(grant, precision=tuple(sorted({**alone, **dict(grant.precision)}.items())))


def _read_again(grant: GrantFacts) -> GrantFacts:
    """As `consent.standing` reads it: what it kept, at the levels that this model still has."""
    _, precision = read_levels(frozenset(grant.precision))
    return replace(grant, precision=precision)
