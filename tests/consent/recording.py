"""Consents as recorded, for tests of the forms in which they are shown."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from consent.content import Terms
from consent.notices import NoticeLibrary, read_notice
from consent.recorded import Change, Recorded, Setting
from consent.terms import read_terms
from policies.vocabulary import ClientId, ConsentId, ConsentState, Handle, OrganisationId
from tests.consent.builders import CLIENT, DATA, HOLDER, HOUSES, NOON
from tests.consent.builders import terms as built

SAMPLES: dict[str, dict[str, Any]] = {
    each["id"]: each for each in yaml.safe_load((DATA / "sample_consents.yaml").read_bytes())
}
LIBRARY = NoticeLibrary(
    read_notice(file.read_bytes()) for file in sorted(Path(DATA / "notices").glob("*.md"))
)
SETTING = Setting(
    issuer="https://broker.example",
    handle=Handle("abcdefghijklmnopqrstuvwxyz"),
    page="https://broker.example/my-file",
    names={
        "destap-ww": "De Stap",
        "vdab-gent": "VDAB Gent",
        "leerwinkel-wvl": "Leerwinkel",
        "lp-zuid-wvl": "Partnerschap Zuid",
        "cvo-west": "CVO West & Co",
    },
)


def read(body: dict[str, Any], sample: dict[str, Any]) -> Terms:
    """The terms of a body that is sent for a sample client."""
    return read_terms(
        body,
        controller=sample["controller"],
        at=datetime.fromisoformat(sample["given"]),
        born=date.fromisoformat(sample["born"]) if sample["born"] else None,
        directory=HOUSES,
        notice_known=LIBRARY.known,
    )


def of_sample(id: str) -> Recorded:
    """A sample consent, as it stood when it was given."""
    sample = SAMPLES[id]
    terms = read(sample["body"], sample)
    state = ConsentState.GIVEN if terms.grants else ConsentState.REFUSED
    return recorded_as(
        terms,
        Change(state, datetime.fromisoformat(sample["given"])),
        controller=sample["controller"],
    )


def recorded_as(
    terms: Terms | None = None, *changes: Change, controller: str = HOLDER, suspended: bool = False
) -> Recorded:
    """A consent with these terms that went through these changes."""
    return Recorded(
        consent=ConsentId("c-0001"),
        client=CLIENT,
        controller=OrganisationId(controller),
        suspended=suspended,
        changes=changes or (Change(ConsentState.GIVEN, NOON),),
        terms=built() if terms is None else terms,
        at=NOON,
    )


def nobody_in(document: object) -> bool:
    """Whether the client's own id is nowhere in it."""
    return ClientId(CLIENT) not in str(document)
