"""The receipt that a client keeps, as one page of plain words in the client's language.

The page stands alone: no picture, font or script from elsewhere; it prints on A4. The code leads
to the page on which everything can be stopped: it holds an address, and nothing of the person.
"""

import io
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import segno

from consent.belgian_time import day_of, instant
from consent.content import EVERY_SECTION, Grant
from consent.dpv_record import named
from consent.recorded import Recorded, Setting
from policies.grants import read_grant
from policies.purposes import purpose
from policies.summary_model import summary_model
from policies.vocabulary import Section
from policies.yaml_files import read_yaml

LANGUAGES = ("nl", "fr", "en", "ar", "tr")
"""What the page can be had in; the first is that of whoever speaks none of them."""

_STYLE = (
    "@page{size:A4;margin:18mm}"
    "body{font:12pt/1.5 sans-serif;max-width:44em;margin:1em auto;padding:0 1em;color:#000}"
    "h1{font-size:1.6em}h2{font-size:1.2em;margin:1.2em 0 .3em}"
    "dl{border-block-start:1px solid #888;margin:.6em 0;padding-block-start:.4em;"
    "break-inside:avoid}"
    "dt{font-weight:bold}dd{margin:0 0 .3em}.code{width:38mm;height:38mm}small{color:#333}"
)


@cache
def words(language: str) -> Mapping[str, Any]:
    """What the page says in that language, read once."""
    found: Mapping[str, Any] = read_yaml(
        files("consent").joinpath("receipt_words.yaml").read_bytes()
    )[language]
    return found


def language_of(notice: str) -> str:
    """The language of the page for whoever was shown a notice in this one."""
    spoken = notice.partition("-")[0]
    return spoken if spoken in LANGUAGES else LANGUAGES[0]


def receipt_page(recorded: Recorded, setting: Setting, language: str) -> str:
    """The page, as HTML in UTF-8. It names organisations and no person."""
    said, terms = words(language), recorded.terms
    holder = setting.names.get(recorded.controller, recorded.controller)
    standing = [said["on_hold"]] if recorded.suspended else []
    noes = [
        *(_denied(each.recipient, each.sections, setting, language) for each in terms.denials),
        *(_refused(each.recipient, each.purpose, setting, language) for each in terms.refused),
    ]
    yes = [_granted(each, setting, language) for each in terms.grants]
    body = [
        f"<h1>{escape(said['title'])}</h1>",
        *_lines(said["intro"]),
        *_lines(
            said["asked_by"].format(who=holder),
            said["dated"].format(day=_day(day_of(instant(recorded.given_at)), said)),
            said["state"][recorded.state],
            *standing,
        ),
        f"<h2>{escape(said['allowed'])}</h2>",
        *(yes or _lines(said["nothing_agreed"])),
        *([f"<h2>{escape(said['forbidden'])}</h2>", *noes] if noes else []),
        f"<h2>{escape(said['stop_title'])}</h2>",
        *_lines(said["stop"].format(page=setting.page), said["no_consequence"]),
        _code(setting.page),
        f"<h2>{escape(said['ask_title'])}</h2>",
        *_lines(said["ask"].format(who=holder)),
        "<p><small>"
        + escape(said["notice"].format(id=terms.notice.id, version=terms.notice.version))
        + "<br>"
        + escape(said["number"].format(consent=recorded.consent))
        + "</small></p>",
    ]
    return _document(body, said, language)


def _document(body: Iterable[str], said: Mapping[str, Any], language: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="{language}" dir="{said["direction"]}"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(said['title'])}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _lines(*sentences: str) -> list[str]:
    return [f"<p>{escape(each)}</p>" for each in sentences]


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return (
        "<dl>"
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(told)}</dd>" for name, told in rows)
        + "</dl>"
    )


def _granted(grant: Grant, setting: Setting, language: str) -> str:
    said = words(language)
    until = [
        *([] if grant.end is None else [_until(grant.end, said)]),
        *([said["events"][grant.until_event]] if grant.until_event else []),
        *([said["times"].format(n=grant.max_uses)] if grant.max_uses else []),
    ]
    if grant.withdrawn:
        until = [said["stopped"]]
    operations = [said["ops"][each] for each in said["ops"] if each in grant.ops]
    return _rows(
        (
            (said["who"], _recipient(grant.recipient, setting, language)),
            (said["why"], _purpose(grant.purpose, language)),
            (said["what"], _data(grant, language)),
            (said["how"], _listed(operations, language)),
            (said["until"], _listed(until, language)),
        )
    )


def _denied(recipient: str, sections: tuple[str, ...], setting: Setting, language: str) -> str:
    said = words(language)
    data = [_section(each, language) for each in Section if each in sections]
    if EVERY_SECTION in sections:
        data = [said["everything"]]
    who = (said["who"], _recipient(recipient, setting, language))
    return _rows((who, (said["what"], _listed(data, language))))


def _refused(recipient: str, code: str, setting: Setting, language: str) -> str:
    said = words(language)
    who = (said["who"], _recipient(recipient, setting, language))
    return _rows((who, (said["why"], _purpose(code, language))))


def _data(grant: Grant, language: str) -> str:
    """The sections of which something goes, and whether that is less than naming them gives."""
    said = words(language)
    parts = []
    for section in Section:
        read = {field for field in grant.reads if field.partition(".")[0] == section}
        if read:
            whole, _ = read_grant(sections=(section,), fields=(), include=(), exclude=())
            part = "" if read >= whole else f" ({said['part']})"
            parts.append(_section(section, language) + part)
    return _listed(parts, language)


def _listed(parts: Iterable[str], language: str) -> str:
    return ("، " if language == "ar" else ", ").join(parts)


def _until(end: int, said: Mapping[str, Any]) -> str:
    told: str = said["until_day"].format(day=_day(day_of(end - 1), said))
    return told


def _day(day: date, said: Mapping[str, Any]) -> str:
    return f"{day.day} {said['months'][day.month - 1]} {day.year}"


def _section(section: Section, language: str) -> str:
    labels = summary_model().sections[section].labels
    told: str = labels[language] if language in labels else words(language)["sections"][section]
    return told


def _purpose(code: str, language: str) -> str:
    use = purpose(code)
    if use is None:
        return code
    if language in use.labels:
        return use.labels[language]
    told: str = words(language)["purposes"][code]
    return told


def _recipient(recipient: str, setting: Setting, language: str) -> str:
    """What it is called: by its name, else by its kind, else by its id."""
    said, (kind, _, rest) = words(language), recipient.partition(":")
    if named(recipient) in setting.names:
        return setting.names[named(recipient)]
    told: str = said["types" if kind == "category" else "recipients"].get(rest or kind, recipient)
    return told


def _code(address: str) -> str:
    """The address as a QR code, drawn in the page itself."""
    drawn = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, svgns=True, omitsize=True, svgclass="code")
    return f"<p>{drawn.getvalue().decode().strip()}</p>"
