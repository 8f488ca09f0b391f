"""A person who does not exist, pushed through every door, so that she can be looked for after."""

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

from httpx2 import Response

from exchange.operations import import_run
from exchange.samples import samples
from tests.builders import Broker, query
from tests.invariants.whole_file import whole_file

HOLDER, PARTNER, PURPOSE = "ocmw-kortrijk", "vdab-wvl", "P2"
IDENTITY = {
    "given_name": "Zwaantje",
    "family_name": "Kwispelberg",
    "birth_date": "1978-04-09",
    "alias": "Kanariepietje",
}
NUMBER = "78640990835"
REFERENCE = "DOSSIER-KANARIE-4711"
NOTE = "liefst vroeg in de ochtend fluiten"
KEY = "kanarie-sleutel-12345"
PERSONAL = {
    **IDENTITY,
    "number": NUMBER,
    "number as written": "78.64.09-908.35",
    "birth date turned": "09/04/1978",
    "reference": REFERENCE,
    "phone": "+32450987654",
    "mail": "zwaantje@client.example",
    "address": "Kanarieplein 77",
    "note": NOTE,
    "site": "Kanariezaal",
    "appointment": "afspraak-kanarie",
    "witness": "getuige-kanarie",
    "desk phone": "+32450111222",
    "desk mail": "balie@kanarie.example",
    "function": "kanarieverzorger",
    "end user": "medewerker-kanarie",
    "case": "zaak-kanarie-99",
    "key": KEY,
}
"""Everything of her, of those who work with her, and of what was said of both."""


def found_in(text: str | bytes) -> list[str]:
    """The canaries, or plain digests of them, that are in a text, in whatever case."""
    raw = (text.encode() if isinstance(text, str) else text).lower()
    return [name for name, forms in _FORMS.items() if any(form in raw for form in forms)]


def _forms(canary: str) -> Iterator[bytes]:
    raw = canary.encode()
    yield raw.lower()
    yield quote(canary, safe="").lower().encode()
    yield json.dumps(canary).strip('"').lower().encode()
    for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
        yield digest(raw).hexdigest().encode()
        yield digest(raw).digest().lower()


_FORMS = {name: tuple(_forms(canary)) for name, canary in PERSONAL.items()}
# The digest of the key is how a repeat is known; the key says nothing of the client.
_FORMS["key"] = (KEY.encode(),)


@dataclass
class Flight:
    """What came back of everything that was sent: good answers, bad ones, and a report."""

    good: list[Response] = field(default_factory=list)
    bad: list[Response] = field(default_factory=list)
    report: list[Any] = field(default_factory=list)

    def take(self, answer: Response) -> Mapping[str, Any]:
        (self.good if answer.is_success else self.bad).append(answer)
        json_told = answer.headers.get("content-type") == "application/json"
        told: Mapping[str, Any] = answer.json() if answer.is_success and json_told else {}
        return told


def flown(broker: Broker, exports: Path) -> Flight:
    """A whole warm handover of hers, an import, and every mistake at every door."""
    flight = Flight()
    holder, partner = broker.as_(HOLDER), broker.as_(PARTNER)
    body = {"identity": IDENTITY, "insz": "78.64.09-908.35", "reference": REFERENCE}
    client = flight.take(holder.post("/v1/clients", json=body))["client"]
    flight.take(holder.put(f"/v1/clients/{client}/summary", json={"sections": _sections()}))
    flight.take(holder.get(f"/v1/clients/{client}/summary"))
    flight.take(holder.put(f"/v1/clients/{client}/flags", json={"flags": ["under_inquiry"]}))
    consent = flight.take(holder.post(f"/v1/clients/{client}/consents", json=_consent()))["consent"]
    flight.take(holder.get(f"/v1/clients/{client}/consents"))
    flight.take(holder.get(f"/v1/consents/{consent}/receipt"))
    said = {"Idempotency-Key": KEY}
    pushed = flight.take(holder.post("/v1/handovers", json=_push(client), headers=said))
    handover = f"/v1/handovers/{pushed['handover']}"
    asked = query(handover=pushed["handover"], purpose=PURPOSE) | {
        "end_user": {"id": PERSONAL["end user"], "function": PERSONAL["function"]},
        "case_reference": PERSONAL["case"],
    }
    flight.take(partner.post("/v1/summaries/query", json=asked))
    flight.take(holder.get(f"/v1/consents/{consent}/record"))
    page = {"Accept": "text/html"}
    flight.take(holder.get(f"/v1/consents/{consent}/receipt", headers=page))
    flight.take(partner.post(f"{handover}/acceptance", json=_acceptance()))
    for each in (holder, partner):
        flight.take(each.get(handover))
        flight.take(each.get("/v1/handovers"))
    flight.take(holder.post(f"/v1/consents/{consent}/withdrawal", json={"via": "portal"}))
    flight.take(partner.post("/v1/summaries/query", json=asked))
    flight.report = list(import_run(broker.services, _import(exports)))
    _blunder(broker, flight)
    return flight


def _sections() -> dict[str, dict[str, Any]]:
    sections = whole_file()
    sections["ident"] = {name: value for name, value in IDENTITY.items() if name != "alias"}
    sections["natid"] = {"insz": NUMBER}
    sections["contact"] |= {
        "phone": PERSONAL["phone"],
        "email": PERSONAL["mail"],
        "address": PERSONAL["address"],
    }
    sections["note"] = {"text": NOTE, "read_back": True}
    # Names that nobody knows, and a text that is taken out.
    sections["agree"]["actions"][0]["text"] = f"bellen naar {PERSONAL['phone']}"
    sections["lang"] |= {IDENTITY["family_name"].lower(): "ja"}
    return sections | {IDENTITY["given_name"].lower(): {"x": 1}}


def _consent() -> dict[str, Any]:
    consent = copy.deepcopy(dict(samples()["cl-0005"].consent))
    consent["evidence"] = {
        "method": "oral_witnessed",
        "witness": PERSONAL["witness"],
        "freedom_check": {"asked_alone": True, "no_effect_on_regime_stated": True},
    }
    return consent


def _push(client: str) -> dict[str, Any]:
    appointment = {
        "start": "2026-11-10T09:00:00+01:00",
        "site": PERSONAL["site"],
        "ics_uid": PERSONAL["appointment"],
    }
    return {
        "client": client,
        "recipient": f"org:{PARTNER}",
        "purpose": PURPOSE,
        "reason_code": "other",
        "appointment": appointment,
    }


def _acceptance() -> dict[str, Any]:
    contact = {
        "function": PERSONAL["function"],
        "phone": PERSONAL["desk phone"],
        "email": PERSONAL["desk mail"],
    }
    return {"contact": contact}


def _import(folder: Path) -> dict[str, Any]:
    """An export with her in it, once as she should be and once with mistakes."""
    record = {
        "id": REFERENCE,
        "updated": "2026-10-10T10:00:00+02:00",
        "persoon": {
            "voornaam": IDENTITY["given_name"],
            "last_name": IDENTITY["family_name"],
            "geboren": IDENTITY["birth_date"],
        },
        "contact": {"gsm": PERSONAL["phone"], "email": PERSONAL["mail"]},
        "adres": {"straat": PERSONAL["address"], "postcode": "9000", "gemeente": "Gent"},
        "vertrekpunt": {"reason": "explore"},
    }
    wrong = copy.deepcopy(record) | {"updated": NOTE, "opmerking": NOTE}
    wrong["persoon"] = {"geboren": PERSONAL["birth date turned"], "voornaam": [NOTE]}
    lines = [json.dumps(record), json.dumps(wrong), f'{{"id": "{REFERENCE}", {NOTE}']
    (folder / "codebook.csv").write_bytes(
        (Path(__file__).parents[2] / "exchange/demo_data/destap/codebook.csv").read_bytes()
    )
    (folder / "clients.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return {"kind": "registration-jsonl", "path": str(folder), "organisation": "destap-ww"}


def _blunder(broker: Broker, flight: Flight) -> None:
    """At every door: what can be said wrongly, with her in it."""
    name, number = quote(IDENTITY["family_name"]), quote(REFERENCE)
    headers = {"Idempotency-Key": f"{IDENTITY['given_name']} x", "If-Match": REFERENCE}
    clients = (broker.as_(HOLDER), broker.as_(PARTNER))
    stranger = {"Authorization": f"Bearer {IDENTITY['family_name']}"}
    for path, methods in broker.app.openapi()["paths"].items():
        of_the_log = dict.fromkeys(("index", "level", "log", "place"), name)
        place = path.replace("{place:path}", "{place}").format(
            client=name,
            consent=number,
            handover=name,
            request=name,
            recall=name,
            basis=name,
            language=name,
            agreement=name,
            version=name,
            **of_the_log,
        )
        for method in methods:
            for client, (content, kind) in zip(cycle(clients), _MISTAKES, strict=False):
                said = headers | {"Content-Type": kind}
                flight.take(client.request(method, place, content=content, headers=said))
            asked = f"{place}?box={name}&cursor={name}&{name}=1"
            for each, said in zip(clients, (headers, stranger), strict=True):
                flight.take(each.request(method, asked, headers=said))


_WRONG: dict[str, Any] = {
    IDENTITY["family_name"]: NOTE,
    "client": IDENTITY["given_name"],
    "identity": {IDENTITY["alias"]: NUMBER, "given_name": [NOTE], "birth_date": NOTE},
    "insz": NUMBER[:-1] + "9",
    "sections": {IDENTITY["alias"]: NOTE, "contact": {"phone": NOTE, "email": NUMBER}},
    "purpose": NOTE,
    "handover": REFERENCE,
    "grants": [{IDENTITY["family_name"]: NOTE, "recipient": NOTE}],
    "contact": {"phone": NOTE, IDENTITY["alias"]: 1},
    "flags": [IDENTITY["family_name"]],
}
_FORM = "application/x-www-form-urlencoded"
_MISTAKES: tuple[tuple[bytes, str], ...] = (
    (json.dumps(_WRONG).encode(), "application/json"),
    (json.dumps(_WRONG).encode()[:-9], "application/json"),
    (json.dumps({"sections": _WRONG["sections"]}).encode(), "application/json"),
    (json.dumps([NOTE, _WRONG]).encode(), "application/json"),
    (f'{{"{REFERENCE}": 1, "{REFERENCE}": 2}}'.encode(), "application/json"),
    (NOTE.encode(), "text/plain"),
    (f"grant_type={NUMBER}&client_assertion={REFERENCE}".encode(), _FORM),
)
