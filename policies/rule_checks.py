"""What a set of rules that loads can still have wrong with it: found by asking all there is."""

from collections.abc import Iterator, Sequence

from policies.rule_space import Question, is_text_of_ours, space
from policies.rule_texts import Finding, Level
from policies.site_rules import Overlay, Rule, only
from policies.summary_model import summary_model
from policies.vocabulary import FieldId


def examine(overlay: Overlay) -> list[Finding]:
    """Rules that can never fire, that err, that forbid everything, or that another one covers.

    Of the hard rules only that they err or forbid a code that is written out all the same.
    """
    findings = list[Finding]()
    for rule in overlay.rules:
        if rule.origin:
            findings += _tried(overlay, rule)
    return findings


def _tried(overlay: Overlay, rule: Rule) -> Iterator[Finding]:
    asked = list(space(rule.mentions))
    alone = only(overlay, [rule])
    answers = [alone.speaking(each) for each in asked]
    spoken = [each for each, said in zip(asked, answers, strict=True) if said.rules]
    erred = [each for each, said in zip(asked, answers, strict=True) if not said.clean]
    yield from _written_out(rule, spoken)
    if erred:
        yield _about(rule, f"it errs, which is a no and an alarm, for {erred[0]}")
    elif not spoken:
        yield _about(rule, f"{rule.id} can never fire: {_why_never(rule, len(asked))}")
    elif rule.origin == "site":
        if _all_releases(asked) <= set(spoken):
            yield _about(rule, f"{rule.id} forbids everything, to everybody", Level.WARNING)
        for other in _covering(overlay, rule, spoken):
            yield _about(rule, f"{rule.id} adds nothing: {other} forbids all of it", Level.NOTE)
    if rule.origin == "site" and not rule.says:
        words = f'{rule.id} does not say in words what it forbids: add @en("…") or @nl("…")'
        yield _about(rule, words, Level.NOTE)


def _why_never(rule: Rule, tried: int) -> str:
    unmet = sorted(each for each in rule.mentions.texts if not is_text_of_ours(each))
    if unmet:
        names = ", ".join(f'"{each}"' for each in unmet)
        return f"{names} is no purpose, class, field or code"
    return f"none of the {tried} questions that it can tell apart meets its conditions"


def _all_releases(asked: Sequence[Question]) -> set[Question]:
    return {each for each in asked if not each.field}


def _covering(overlay: Overlay, rule: Rule, spoken: Sequence[Question]) -> Iterator[str]:
    """The other rules that forbid whatever this one does; of two that say the same, the first."""
    others = {each.id: each for each in overlay.rules if each.origin and each is not rule}
    for question in spoken:
        said = overlay.speaking(question).rules
        others = {id: each for id, each in others.items() if id in said}
    for id, other in others.items():
        both, earlier = only(overlay, [rule, other]), _before(overlay, other, rule)
        heard = [set(both.speaking(each).rules) for each in space(rule.mentions | other.mentions)]
        covers = all(id in each for each in heard if rule.id in each)
        same = covers and all(rule.id in each for each in heard if id in each)
        if covers and (earlier or not same):
            yield id


def _before(overlay: Overlay, one: Rule, other: Rule) -> bool:
    return overlay.ids.index(one.id) < overlay.ids.index(other.id)


def _written_out(rule: Rule, spoken: Sequence[Question]) -> Iterator[Finding]:
    """Codes that a rule forbids and the summary model writes out: the model is what decides."""
    fields = summary_model().fields
    for field, code in dict.fromkeys((each.field, each.code) for each in spoken if each.field):
        known = fields[FieldId(field)].codes
        told = None if known is None else known.codes[code]
        if told is not None and (told.emit_as in (None, code) or told.unless):
            words = f"the summary model writes out {field}={code} all the same"
            yield _about(rule, f"{rule.id} would not be kept: {words}; forbid the section")


def _about(rule: Rule, words: str, level: Level = Level.ERROR) -> Finding:
    return Finding(rule.file, rule.line, words, level)
