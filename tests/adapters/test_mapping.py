from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.mapping import SHIPPED, BadMapping, load_mapping
from adapters.registration_csv import RegistrationCsv
from tests.adapters.exports import A_CLIENT, leerwinkel

NEVER_READ = frozenset(
    [
        "notities",
        "roepnaam",
        "verslag",
        "inhoud",
        "onderwerp",
        "opmerking",
        "note",
        "dossiernota",
        "tekst",
        "omschrijving",
        "bijlagen",
        "straat",
        "toestemming_delen",
        "toestemming_davinci",
        "toestemming_opvolging",
        "consents",
    ]
)


def changed(tmp_path: Path, change: dict[str, Any], *way: str) -> str:
    """A copy of the mapping of Leerwinkel with something else at one place."""
    mapping = yaml.safe_load((SHIPPED / "leerwinkel.yaml").read_text("utf-8"))
    place = mapping
    for step in way:
        place = place[step]
    place.update(change)
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump(mapping), "utf-8")
    return str(file)


@pytest.mark.parametrize("name", ["leerwinkel", "destap"])
def test_no_shipped_mapping_names_a_column_that_is_never_to_be_read(name: str) -> None:
    mapping = load_mapping(name)

    parts = mapping.clients, mapping.sessions, mapping.contacts, mapping.goals, mapping.exit
    read = {word for part in parts for column in part.columns for word in column.split(".")}

    assert read
    assert not read & NEVER_READ


def test_a_site_may_bring_its_own_mapping(tmp_path: Path) -> None:
    path = changed(
        tmp_path, {"demog.gender": {"column": "roepnaam", "codes": ["x"]}}, "clients", "fields"
    )
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"roepnaam": "x"}])

    source = RegistrationCsv({"mapping": path})
    (intake,) = source.intakes(folder)

    assert "roepnaam" not in str(source.dropped())
    assert intake.sections["demog"]["gender"]["value"] == "x"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "way", "message"),
    [
        ({"colour": "red"}, (), "colour is not known"),
        ({"dates": "american"}, (), "dates: must be one of"),
        ({"encoding": "klingon"}, (), "no encoding has this name"),
        ({"demog.gender": {"colum": "x"}}, ("clients", "fields"), "demog.gender: colum"),
        ({"demog.gender": {"column": "x"}}, ("clients", "fields"), "a list or codes"),
        ({"demog.gender": {"form": "text"}}, ("clients", "fields"), "a column is needed"),
        (
            {"demog.gender": {"column": "x", "form": "poem"}},
            ("clients", "fields"),
            "form: must be one of",
        ),
        (
            {"demog.gender": {"column": "x", "codes": {1: "f"}}},
            ("clients", "fields"),
            "quote numbers",
        ),
        ({"full_when": "reden"}, ("clients",), "full_when: a list of texts"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, change: dict[str, Any], way: tuple[str, ...], message: str
) -> None:
    with pytest.raises(BadMapping, match=message):
        load_mapping(changed(tmp_path, change, *way))


@pytest.mark.parametrize(
    ("part", "key"), [("clients", "changed"), ("sessions", "date"), ("contacts", "count")]
)
def test_what_reading_relies_on_can_not_be_left_out(tmp_path: Path, part: str, key: str) -> None:
    mapping = yaml.safe_load((SHIPPED / "leerwinkel.yaml").read_text("utf-8"))
    del mapping[part][key]
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump(mapping), "utf-8")

    with pytest.raises(BadMapping, match=f"{part}: {key} is needed"):
        load_mapping(str(file))


def test_a_list_that_nobody_has_is_told_before_a_row_is_read(tmp_path: Path) -> None:
    change = {"demog.gender": {"column": "geslacht", "list": "geslachten"}}
    source = RegistrationCsv({"mapping": changed(tmp_path, change, "clients", "fields")})

    with pytest.raises(BadMapping, match="the list geslachten is in neither"):
        next(source.intakes(leerwinkel(tmp_path, clienten=[A_CLIENT])))


@pytest.mark.parametrize("text", [":\n\t-", "[]", "service: a\nservice: b"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(text, "utf-8")

    with pytest.raises(BadMapping, match=r"^ours\.yaml: "):
        load_mapping(str(file))


def test_a_mapping_that_does_not_exist_is_named() -> None:
    with pytest.raises(BadMapping, match="nowhere"):
        load_mapping("nowhere")
