"""Writes a large export in the format of Leerwinkel, always the same for the same number.

    python tests/bench/generate_export.py 100000 /tmp/export

Nobody in it exists: the numbers are test numbers (month 61 to 72), the mobile numbers have a
prefix that is not in use, the addresses end in .example. Dirt is in it in about the shares of a
real export: duplicates, variants, free text in columns that are not read.
"""

import csv
import random
import shutil
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

DEMO = Path(__file__).parents[2] / "exchange" / "demo_data" / "leerwinkel"
FIRST_DAY = date(2025, 4, 24)
DAYS = 540
FULL = 0.83
GIVEN = [
    "Lotte",
    "Lukas",
    "Fien",
    "Jelle",
    "Margot",
    "Ruben",
    "Chloé",
    "Stijn",
    "Aïcha",
    "Andrij",
    "Elise",
    "Yannick",
    "Noor",
    "Bram",
]
FAMILY = [
    "Desmet",
    "Maes",
    "Öztürk",
    "Willems",
    "Peeters",
    "Van_den_Broeck",
    "Diallo",
    "Mertens",
    "Claes",
    "Ahmadi",
]
TEXT = "Dossier volledig, wacht op attest CVO. Zijn broer Ahmed belt; 0450 00 00 00."
TOWNS = {"8000": "Brugge", "8400": "Oostende", "8500": "Kortrijk", "8800": "Roeselare"}
BARRIERS = ["kosten", "motivatie", "gezondheid", "gezin", "taal", "opvang", "vervoer", "wonen"]
CHANNELS = ["e-mail", "E-mail", "mail", "sms", "SMS", "tel", "tel.", "telefoon", "facebook"]
ACTIONS = ["terugbellen", "CV nakijken", "attest opvragen bij school", "+ cursus rekenen", ""]
FIXED = {
    "herkomst_dossier": "GOAL", "nationaliteit": "BEL", "contacttaal": "Nederlands", "tolk": "N",
    "nl_luisteren": "C2", "nl_lezen": "C1", "nl_spreken": "C2", "nl_schrijven": "B2",
    "verblijfsstatuut": "Belg", "statuut": "inactief", "toestemming_delen": "J",
    "begeleider": "LW-AV", "vestiging": "Kortrijk",
}  # fmt: skip
FILES = ("clienten", "sessies", "contacten", "doelen", "uitstroom")

Rows = dict[str, list[dict[str, str]]]


def test_number(born: date, serial: int) -> str:
    """A national number that can only be a test number, with valid check digits."""
    nine = f"{born.year % 100:02}{born.month + 60:02}{born.day:02}{serial:03}"
    century = "2" if born.year >= 2000 else ""
    return f"{nine}{97 - int(century + nine) % 97:02}"


def day(moment: date) -> str:
    return moment.strftime("%d/%m/%Y")


def client(number: int, chance: random.Random) -> dict[str, str]:
    reference = f"LW-{number}"
    full = chance.random() < FULL
    # A new day of birth for every 900 clients keeps the numbers apart.
    born = date(1985, 1, 1) + timedelta(days=(number // 900) % 8000)
    changed = FIRST_DAY + timedelta(days=chance.randrange(DAYS))
    given, family = chance.choice(GIVEN), chance.choice(FAMILY).replace("_", " ")
    postcode = chance.choice([*TOWNS])
    row = FIXED | {
        "client_nr": reference,
        "aanmaakdatum": day(changed),
        "laatst_gewijzigd": day(changed),
        "naam": family,
        "voornaam": given,
        "geslacht": chance.choice(["V", "v", "vrouw", "M", "man", "Man"]),
        "geboortedatum": day(born),
        "INSZ": test_number(born, number % 900 + 1),
        "straat": f"Kerkstraat {number % 200 + 1}",
        "postcode": postcode,
        "gemeente": TOWNS[postcode],
        "gsm": f"0450 {number % 100:02} {number // 100 % 100:02} {number // 10_000 % 100:02}",
        "email": f"client{number}@client.example" if chance.random() < 0.6 else "",
        "voorkeurkanaal": chance.choice(["sms", "email", "phone", "in_person"]),
        "moedertaal": chance.choice(["Nederlands", "NL", "Turks", "Arabisch", "Dari"]),
        "hoogste_diploma": chance.choice(["lager secundair", "LSO", "lager onderwijs", "geen"]),
        "statuut_detail": chance.choice(["werkend", "UVW", "leefloon", "inactief", "student"]),
        "inschrijving_VDAB": chance.choice(["J", "N", "nee", "x"]),
        "werkloos_sinds": day(changed - timedelta(days=chance.randrange(30, 2000))),
        "eerste_begeleiding": chance.choice(["J", "N", "1", "0"]),
        "verwezen_door": chance.choice(["VDAB", "OCMW", "AgII", "CLB", "zelf"]),
        "zelfeff_begin": chance.choice("123"),
        "notities": TEXT * chance.randrange(3),
    }
    if not full:
        return row
    found = chance.sample(BARRIERS, chance.randrange(4))
    return row | {
        "reden_aanmelding": chance.choice(["opleidingen verkennen", "VERKEN", "werk", "EVC"]),
        "veilig_contact": chance.choice(["ok", "ok", "no_sms", "no_voicemail"]),
        "drempels": "|".join(f"{each}:{chance.randint(1, 3)}" for each in found) or "geen",
        "leerhouding": chance.choice(["positief", "pos", "+"]),
        "loopbaanbeeld": chance.choice(["duidelijk", "ruw idee", "geen"]),
        "kinderopvang": chance.choice(["J", "N"]),
        "fase": chance.choice(["1", "2", "3", "afgesloten"]),
    }


def rows_of(number: int, chance: random.Random) -> Rows:
    """All rows of one client, by file."""
    own = client(number, chance)
    reference, full = own["client_nr"], "fase" in own
    key = {"client_nr": reference}
    dates = [
        FIRST_DAY + timedelta(days=chance.randrange(DAYS))
        for _ in range(chance.choice([1, 1, 1, 2, 2, 3, 4]))
    ]
    sessions = [
        key
        | {"sessie_id": f"S{number}-{at}", "datum": day(when), "beginuur": "09:30"}
        | {"duur_uren": chance.choice(["0,50", "0,75", "1,00"]), "type": "individueel"}
        | {"thema_formeel": chance.choice(["x", ""]), "thema_werk": chance.choice(["X", "0"])}
        | {"afspraken": chance.choice(ACTIONS), "verslag": TEXT * chance.randrange(2)}
        for at, when in enumerate(dates, 1)
    ]
    contacts = [
        key
        | {"contact_id": f"C{number}-{at}", "datum": day(chance.choice(dates)), "aantal": "1"}
        | {"kanaal": chance.choice(CHANNELS), "richting": chance.choice(["in", "uit"])}
        for at in range(chance.randrange(5, 30))
    ]
    goal = key | {"doel_id": f"D{number}-1", "type_doel": "leer", "doelcode": "taal"}
    leaving = key | {"einddatum": day(max(dates)), "reden_einde": "werk gevonden"}
    return {
        "clienten": [own] * (2 if chance.random() < 0.02 else 1),
        "sessies": sessions,
        "contacten": contacts,
        "doelen": [goal] if full else [],
        "uitstroom": [leaving] if full and chance.random() < 0.6 else [],
    }


def headers() -> Iterator[tuple[str, list[str]]]:
    for name in FILES:
        with (DEMO / f"{name}.csv").open(encoding="cp1252", newline="") as file:
            yield name, next(csv.reader(file, delimiter=";"))


def generate(clients: int, folder: Path) -> None:
    """Write the five files and the code book into a folder, which is made."""
    chance = random.Random(418)  # noqa: S311  # for variety, not for secrets
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DEMO / "codeboek.csv", folder)
    columns = dict(headers())
    files = {
        name: (folder / f"{name}.csv").open("w", encoding="cp1252", newline="") for name in FILES
    }
    writers = {
        name: csv.DictWriter(files[name], columns[name], delimiter=";", lineterminator="\r\n")
        for name in FILES
    }
    for writer in writers.values():
        writer.writeheader()
    for number in range(10_000, 10_000 + clients):
        for name, rows in rows_of(number, chance).items():
            writers[name].writerows(rows)
    for file in files.values():
        file.close()


if __name__ == "__main__":
    generate(int(sys.argv[1]), Path(sys.argv[2]))
