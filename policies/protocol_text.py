"""The agreement as people read it: the protocol in Dutch, made from the document and nothing else.

A page and a PDF show the same value, so that what is signed, what is shown and what the machine
goes by can not drift apart. It names organisations and functions, and no person.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from policies.agreement_document import Agreement, AgreementState, Flow, Party
from policies.agreements import Standing, incomplete, standing
from policies.legal_references import legal_references, place_of
from policies.protocol import Block, Bullets, Chapter, Facts, Protocol, Table, Text
from policies.protocol_words import (
    day_in_words,
    field_label,
    listed,
    purpose_label,
    section_label,
    word,
)
from policies.summary_model import SPECIAL, fields_of, summary_model
from policies.vocabulary import Operation, OrganisationId, Section

SUPERSEDED = "superseded"
"""How a version stands after which another came into force."""

_NONE = "nog niet ingevuld"
_STAYS = "blijft hier ter inzage."


def protocol(
    agreement: Agreement,
    *,
    names: Mapping[str, str],
    stands: tuple[str, str],
    steps: Iterable[tuple[date, str]] = (),
) -> Protocol:
    """The protocol of an agreement.

    `names` are those of organisations by id; `stands` is what `how_it_stands` says; `steps` what
    happened to it that the document does not say, as a day and words. No clock is asked: it is the
    same until something changes.
    """
    chapters = (
        _parties(agreement, names),
        _purposes(agreement),
        *_flows(agreement, names),
        _grounds(agreement),
        _extent(agreement),
        *_measures(agreement),
        *_lacking(agreement, names),
        _story(agreement, names, steps),
    )
    code, sentence = stands
    return Protocol(
        id=agreement.id,
        title=agreement.title or agreement.id,
        version=agreement.version or _NONE,
        standing=code,
        stands=sentence,
        chapters=chapters,
    )


def how_it_stands(
    agreement: Agreement,
    *,
    on: date,
    names: Mapping[str, str],
    replaced_by: str = "",
    ended_on: date | None = None,
) -> tuple[str, str]:
    """A code of `Standing`, or `superseded`, and the sentence that says since when and why.

    `replaced_by` is the version that took its place, `ended_on` the day on which it was ended, if
    either is so.
    """
    stands = standing(agreement, on)
    if replaced_by and stands is Standing.ENDED:
        since = f" op {day_in_words(ended_on)}" if ended_on else ""
        return SUPERSEDED, f"Vervangen{since} door versie {replaced_by}. Deze versie {_STAYS}"
    halt = agreement.suspended
    if stands is Standing.SUSPENDED and halt is not None:
        who, why = _name(halt.by, names), word("reasons", halt.reason_code)
        until = "Tot dat wordt opgeheven, gaat er niets meer door."
        return stands, f"Opgeschort sinds {day_in_words(halt.on)} door {who}: {why}. {until}"
    told = {
        Standing.IN_FORCE: _between(agreement.valid_from, agreement.valid_until),
        Standing.NOT_YET: "Er gaat nog niets door onder dit protocol.",
        Standing.INCOMPLETE: "Er ontbreken verplichte onderdelen. Zolang gaat er niets door.",
        Standing.IN_REVIEW: "Zolang de herziening duurt, gaat er niets door.",
        Standing.SUSPENDED: "Zolang gaat er niets door.",
        Standing.ENDED: _ended(agreement.valid_until, on, ended_on),
    }
    return stands, f"{word('standings', stands)}. {told[stands]}"


def _between(first: date | None, last: date | None) -> str:
    if first is None or last is None:
        return ""
    return f"Het geldt van {day_in_words(first)} tot en met {day_in_words(last)}."


def _ended(last: date | None, on: date, ended_on: date | None) -> str:
    if ended_on is not None and (last is None or ended_on <= last):
        return (
            f"Het werd beëindigd op {day_in_words(ended_on)}, voor zijn laatste dag. Het {_STAYS}"
        )
    if last is not None and last < on:
        return f"De laatste dag was {day_in_words(last)}. Het {_STAYS}"
    return f"Het werd voor zijn laatste dag beëindigd. Het {_STAYS}"


def _parties(agreement: Agreement, names: Mapping[str, str]) -> Chapter:
    who = tuple(
        (
            _name(each.org, names),
            word("roles", each.role) if each.role else _NONE,
            each.contact_function or _NONE,
            each.dpo_contact or _NONE,
        )
        for each in agreement.parties
    )
    done = tuple((_name(each.org, names), *_steps_of(each)) for each in agreement.parties)
    blocks: list[Block] = [
        Table("De partijen", ("Organisatie", "Rol", "Contactpunt", "Functionaris"), who),
        Table(
            "Advies, ondertekening en bekendmaking",
            ("Organisatie", "Advies van de functionaris", "Ondertekend", "Bekendgemaakt"),
            done,
        ),
    ]
    advice = agreement.authority_advice
    if advice is not None:
        reference = f", kenmerk {advice.reference}" if advice.reference else ""
        given = f"{advice.body} gaf advies op {day_in_words(advice.date)}{reference}."
        blocks.append(Text(given))
    if agreement.partnership:
        called = names.get(agreement.partnership, agreement.partnership)
        blocks.append(Text(f"De partijen werken samen in het partnerschap {called}."))
    return Chapter("Partijen", tuple(blocks))


def _steps_of(party: Party) -> tuple[str, str, str]:
    advice, shown = party.dpo_advice, party.published
    said = _NONE
    if advice is not None:
        remarks = f" De functionaris merkt op: {advice.remarks}" if advice.remarks else ""
        said = f"{word('advice', advice.outcome)}, {day_in_words(advice.date)}.{remarks}"
    signed = day_in_words(party.signed_on) if party.signed_on else _NONE
    return said, signed, f"{day_in_words(shown.on)}, {shown.url}" if shown else _NONE


def _purposes(agreement: Agreement) -> Chapter:
    codes = sorted({code for flow in agreement.flows for code in flow.purposes})
    return Chapter(
        "Doeleinden",
        (
            Text("Alleen voor deze doeleinden, en voor geen ander:"),
            Bullets(tuple(purpose_label(code) for code in codes)),
        ),
    )


def _flows(agreement: Agreement, names: Mapping[str, str]) -> Iterable[Chapter]:
    yield Chapter(
        "Gegevensstromen",
        (
            Text(
                "Dit is het meeste dat ooit mag doorgaan. Wat echt doorgaat, is nooit meer dan waar"
                " de cliënt ja op zei en dan het doel nodig heeft."
            ),
        ),
    )
    for number, flow in enumerate(agreement.flows, 1):
        yield _flow(number, flow, names)


def _flow(number: int, flow: Flow, names: Mapping[str, str]) -> Chapter:
    givers, takers = (listed(_name(each, names) for each in side) for side in (flow.from_, flow.to))
    facts = [
        ("Van", givers),
        ("Naar", takers),
        ("Waarvoor", listed(purpose_label(code) for code in flow.purposes)),
        (
            "Wat de ontvanger mag",
            listed(word("operations", each) for each in Operation if each in flow.operations),
        ),
        ("Doorgeven aan anderen", "toegelaten" if flow.onward else "niet toegelaten"),
    ]
    if flow.origin_masking:
        facts.append(("Herkomst", "afgeschermd: de ontvanger ziet niet welke dienst doorverwijst"))
    caps = dict(flow.precision_caps)
    rows = []
    for section, model in summary_model().sections.items():
        told = [
            field_label(each.id)
            + (f" ({word('precision', caps[each.id])})" if each.id in caps else "")
            for each in model.fields
            if each.id in flow.fields
        ]
        if told:
            rows.append((section_label(section), ", ".join(told)))
    blocks: list[Block] = [
        Facts(tuple(facts)),
        Table(f"Gegevens in stroom {number}", ("Rubriek", "Gegevens"), tuple(rows)),
    ]
    blocks += [Text(f"{section_label(each)}: {told}.") for each, told in _special(flow)]
    return Chapter(f"Stroom {number}", tuple(blocks), deeper=True)


def _special(flow: Flow) -> list[tuple[Section, str]]:
    """The sections of the flow that law holds apart, and what that asks."""
    models = summary_model().sections
    return [
        (each, word("classes", models[each].cls))
        for each in SPECIAL
        if flow.fields & fields_of(each)
    ]


def _grounds(agreement: Agreement) -> Chapter:
    legal, known = agreement.legal, legal_references()
    rows = tuple(
        (what, place_of(key), known[key].about if key in known else _NONE, key)
        for what, keys in (
            ("Mededeling", legal.basis_of_communication),
            ("Inzameling", legal.basis_of_collection),
        )
        for key in keys
    )
    return Chapter(
        "Rechtsgronden",
        (
            Table("Waarop het protocol steunt", ("Voor", "Vindplaats", "Over", "Sleutel"), rows),
            *_deliberation(agreement),
            *_unchecked(key for _, _, _, key in rows),
        ),
    )


def _deliberation(agreement: Agreement) -> Iterable[Block]:
    """Register data on benefits need one (be-ksz-deliberation); what the client said does not."""
    if agreement.legal.deliberation_no:
        yield Text(f"Beraadslaging: {agreement.legal.deliberation_no}.")
    elif any(
        each.startswith(f"{Section.BENEF}.") for flow in agreement.flows for each in flow.fields
    ):
        yield Text(
            "Er is geen beraadslaging: over uitkeringen gaat alleen door wat de cliënt zelf zei, en"
            " niets uit een register."
        )


def _unchecked(keys: Iterable[str]) -> tuple[Block, ...]:
    known = legal_references()
    open_ = sorted({key for key in keys if key in known and not known[key].checked})
    if not open_:
        return ()
    told = "Van deze verwijzingen wordt de vindplaats nog nagelezen door een functionaris: "
    return (Text(f"{told}{', '.join(open_)}."),)


def _extent(agreement: Agreement) -> Chapter:
    volume = _NONE if agreement.volume is None else f"{agreement.volume} personen per jaar"
    rhythm = word("periodicity", agreement.periodicity) if agreement.periodicity else _NONE
    days = ((agreement.valid_from, "Eerste dag"), (agreement.valid_until, "Laatste dag"))
    return Chapter(
        "Omvang en duur",
        (
            Facts(
                (
                    ("Omvang", volume),
                    ("Regelmaat", rhythm),
                    ("Wie het te zien krijgt", listed(agreement.recipient_categories) or _NONE),
                    *((what, day_in_words(day) if day else _NONE) for day, what in days),
                    (
                        "Volgende herziening",
                        day_in_words(agreement.review_on) if agreement.review_on else _NONE,
                    ),
                )
            ),
        ),
    )


def _measures(agreement: Agreement) -> Iterable[Chapter]:
    lists = (
        ("Beveiliging", agreement.security_measures),
        ("Rechtmatigheid, evenredigheid en kwaliteit", agreement.quality_measures),
    )
    texts = (
        ("Doorgifte aan derden", agreement.third_party_onward),
        ("Sancties", agreement.sanctions),
        ("Openbaarheid", agreement.transparency),
        ("Bewaartermijn", agreement.retention),
    )
    yield from (Chapter(title, (Bullets(items or (_NONE,)),)) for title, items in lists)
    yield from (Chapter(title, (Text(said or _NONE),)) for title, said in texts)


def _lacking(agreement: Agreement, names: Mapping[str, str]) -> Iterable[Chapter]:
    missing = incomplete(agreement)
    if missing:
        rows = tuple(
            (element_label(element, names), place_of(key), key) for element, key in missing
        )
        table = Table("Verplichte onderdelen die er nog niet zijn", _LACKS, rows)
        yield Chapter("Wat ontbreekt", (table,))


_LACKS = ("Onderdeel", "Gevraagd door", "Sleutel")


def element_label(element: str, names: Mapping[str, str]) -> str:
    """What a mandatory element is called; one of a party is told with the party."""
    first, _, rest = element.partition(".")
    if first == "parties" and rest:
        org, _, part = rest.rpartition(".")
        return f"{word('elements', part)} ({_name(org, names)})"
    if first == "risk_analysis":
        return f"{word('elements', first)} voor {rest.replace('.', ', ')}"
    return word("elements", element)


_STEPS: Sequence[tuple[str, Callable[[Party], date | None]]] = (
    (
        "advies van de functionaris",
        lambda party: party.dpo_advice.date if party.dpo_advice else None,
    ),
    ("ondertekend", lambda party: party.signed_on),
    ("bekendgemaakt", lambda party: party.published.on if party.published else None),
)


def _by_day(
    parties: Iterable[Party], day_of: Callable[[Party], date | None]
) -> dict[date, list[Party]]:
    found: dict[date, list[Party]] = {}
    for each in parties:
        if (day := day_of(each)) is not None:
            found.setdefault(day, []).append(each)
    return found


def _story(
    agreement: Agreement, names: Mapping[str, str], steps: Iterable[tuple[date, str]]
) -> Chapter:
    """What happened to it, oldest first; of one day in the order of the life of an agreement."""
    told = [
        (day, f"{what}: {listed(_name(each.org, names) for each in who)}")
        for what, day_of in _STEPS
        for day, who in _by_day(agreement.parties, day_of).items()
    ]
    if agreement.authority_advice is not None:
        advice = agreement.authority_advice
        told.append((advice.date, f"advies van de toezichthouder: {advice.body}"))
    if agreement.valid_from is not None:
        told.append((agreement.valid_from, "eerste dag"))
    if agreement.suspended is not None:
        halt = agreement.suspended
        said = word("acts", "suspended").format(who=_name(halt.by, names))
        told.append((halt.on, f"{said}: {word('reasons', halt.reason_code)}"))
    if agreement.state is AgreementState.ENDED and agreement.valid_until is not None:
        told.append((agreement.valid_until, "laatste dag volgens het protocol"))
    rows = sorted({*told, *steps}, key=lambda each: each[0])
    shown = tuple((day_in_words(day), what) for day, what in rows)
    return Chapter("Verloop", (Table("Wat er gebeurde", ("Dag", "Wat"), shown),))


def _name(organisation: OrganisationId | str, names: Mapping[str, str]) -> str:
    return names.get(str(organisation), str(organisation))
