"""The commands for rules as text: read them for their author, try, explain and apply them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from exchange.applying_rules import errors
from exchange.settings import read_settings
from exchange.terminal import Json, done, print_json, say, stop
from policies.decision import RecipientFacts
from policies.rule_cases import read_cases, run_cases, without_case
from policies.rule_checks import examine
from policies.rule_explanation import Explained, Listed, explained, listed
from policies.rule_space import Question, codes, purposes
from policies.rule_texts import CASES, Finding, Level, RulesRefused, read_set
from policies.site_rules import SHIPPED, load_overlay
from policies.vocabulary import OrganisationType, Section

rules = typer.Typer(no_args_is_help=True, help="The rules that keep data back, as text (Cedar).")

Folder = Annotated[
    Path | None,
    typer.Argument(
        exists=True,
        file_okay=False,
        readable=True,
        help="Folder with *.cedar and *.cases.yaml; without: that of the installation.",
    ),
]


@rules.command("check")
def check(folder: Folder = None, as_json: Json = False) -> None:
    """Read the rules in DIR for their author, beside the hard ones. Puts nothing in force.

    Do they parse, do they fit the schema, is every @id there once, can each one fire, does one
    forbid everything, does another one cover it? Exit code 1 when there is something to mend.
    """
    _tell(_checked(_own(folder)), as_json)


@rules.command("test")
def run_tests(folder: Folder = None, as_json: Json = False) -> None:
    """Try the cases in DIR (*.cases.yaml), and those of the hard rules.

    A case says who asks for what, and which rule speaks first, or nothing. Each rule needs one.
    """
    findings, overlay = list[Finding](), load_overlay(site=_loaded(_own(folder), as_json))
    own = {} if folder is None and _folder() is None else read_set(_where(folder), CASES)
    hard = read_cases(read_set(SHIPPED / "hard", CASES), findings)
    ours = read_cases(own, findings)
    findings += run_cases(load_overlay(), hard)
    findings += [*run_cases(overlay, ours), *without_case(overlay, ours)]
    _tell(findings, as_json, cases=len(hard) + len(ours))


@rules.command("explain")
def explain(
    folder: Folder = None,
    recipient: Annotated[
        OrganisationType | None, typer.Option(help="The kind of organisation that asks.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="What for: P1 to P10.")] = "",
    section: Annotated[str, typer.Option(help="One section; without: each of them.")] = "",
    field: Annotated[str, typer.Option(help="A field with codes, instead: resid.status.")] = "",
    code: Annotated[str, typer.Option(help="The code of it that would be written out.")] = "",
    not_accredited: Annotated[bool, typer.Option("--not-accredited")] = False,
    outside_eea: Annotated[bool, typer.Option("--outside-eea")] = False,
    no_insz: Annotated[bool, typer.Option("--no-insz", help="No authorisation for it.")] = False,
    old_consent: Annotated[bool, typer.Option("--old-consent")] = False,
    real_number: Annotated[bool, typer.Option("--real-number")] = False,
    lang: Annotated[str, typer.Option(help="nl or en.")] = "en",
    as_json: Json = False,
) -> None:
    """Say which rules speak when somebody asks, in words, and what each keeps back.

    Without --recipient: every rule with its words, origin, text and fingerprint. Without DIR and
    without a folder of the installation: the rules in force.
    """
    known = folder is not None or _folder() is not None
    overlay = load_overlay(site=_own(folder) if known else done("rules show", {})["files"])
    if recipient is None:
        _tell_rules(listed(overlay, lang), overlay.site, as_json)
        return
    facts = RecipientFacts(
        recipient, not not_accredited, not outside_eea, not no_insz, secrecy=False
    )
    asked = _asked(facts, purpose, section, field, code)
    asked = [_under(each, old=old_consent, real=real_number) for each in asked]
    _tell_explained(explained(overlay, asked, lang), as_json)


@rules.command("apply")
def apply(
    folder: Folder = None,
    operator: Annotated[
        str, typer.Option(help="Your number; never a name. Two of them in production.")
    ] = "",
    none: Annotated[bool, typer.Option("--none", help="No rules of our own any more.")] = False,
    as_json: Json = False,
) -> None:
    """Check the rules in DIR, try their cases, and put them in force in one step, or not at all.

    What is asked after that is decided by them. In production two operators say the same within
    a day. It is logged, with the fingerprints.
    """
    if none and folder is not None:
        stop("say either DIR or --none")
    where = None if none else _where(folder)
    files = {} if where is None else read_set(where)
    if where is not None and not files:
        stop(f"there is no *.cedar in {where}; to have no rules of your own: --none")
    cases = {} if where is None else read_set(where, CASES)
    asked = {"files": files, "cases": cases, "operator": operator}
    result = done("rules apply", asked, rules=_loaded(files, as_json))
    if as_json:
        print_json(result)
    elif not result["done"]:
        say(f"Noted: {result['set']}. Another operator says the same within a day.")
    else:
        say(f"In force: {result['set']}" if result["changed"] else "These are in force already.")
        if result["folder"]:
            say(f"{result['folder']} holds another set; before the next start, put it there too.")


def _folder() -> Path | None:
    return read_settings().rules_folder


def _where(folder: Path | None) -> Path:
    where = folder or _folder()
    if where is None:
        stop("name a folder, or set OVERDRACHT_RULES_DIR")
    return where


def _own(folder: Path | None) -> Mapping[str, str]:
    """The rules of the folder; none, when the installation has none and none was named."""
    where = folder or _folder()
    return {} if where is None else read_set(where)


def _loaded(files: Mapping[str, str], as_json: bool) -> Mapping[str, str]:
    """The same, when they load; what is amiss is told, and ends the command with 1."""
    wrong = errors(_checked(files, whole=False))
    if wrong:
        _tell(wrong, as_json)
    return files


def _checked(files: Mapping[str, str], *, whole: bool = True) -> list[Finding]:
    try:
        overlay = load_overlay(site=files)
    except RulesRefused as refused:
        return list(refused.found)
    return examine(overlay) if whole else []


def _tell(findings: Sequence[Finding], as_json: bool, cases: int | None = None) -> None:
    bad = [each for each in findings if each.level is not Level.NOTE]
    if as_json:
        told = [
            {"file": each.file, "line": each.line, "level": each.level, "words": each.words}
            for each in findings
        ]
        count = {} if cases is None else {"cases": cases}
        print_json({"good": not bad, **count, "findings": told})
    else:
        for each in findings:
            colour = "dim" if each.level is Level.NOTE else "red"
            say(f"[{colour}]{each.level}[/]  {escape(str(each))}")
        if not bad:
            say("The rules hold." if cases is None else f"All {cases} cases come out as they say.")
    raise typer.Exit(1 if bad else 0)


def _asked(
    facts: RecipientFacts, purpose: str, section: str, field: str, code: str
) -> list[Question]:
    if field or code:
        if (field, code) not in codes():
            stop(f"{field}={code} is no code of the summary model")
        return [Question(facts, field=field, code=code)]
    if purpose not in purposes():
        stop(f"--purpose is one of {', '.join(purposes())}")
    if section and section not in Section.__members__.values():
        stop(f"--section is one of {', '.join(Section)}")
    wanted = [section] if section else [each.value for each in Section]
    return [Question(facts, purpose, each) for each in wanted]


def _under(question: Question, *, old: bool, real: bool) -> Question:
    return question if question.field else replace(question, old_consent=old, real_number=real)


def _tell_rules(found: Sequence[Listed], set_: str, as_json: bool) -> None:
    if as_json:
        print_json({"set": set_, "rules": [asdict(each) for each in found]})
        return
    for each in found:
        say(f"[bold]{each.id}[/] ({each.origin}, {each.file}:{each.line}) {escape(each.words)}")
        say(f"  {each.fingerprint}")
        say(escape("\n".join(f"  {line}" for line in each.text.splitlines())))
    say(f"set of the installation: {set_}")


def _tell_explained(found: Sequence[Explained], as_json: bool) -> None:
    if as_json:
        print_json({"rules": [asdict(each) for each in found]})
        return
    for each in found:
        say(f"[bold]{each.id}[/] {escape(each.words)}")
        say(f"  keeps back: {', '.join(each.keeps_back)}" + (" (named)" if each.first else ""))
    if not found:
        say("No rule speaks.")
