import tracemalloc
from pathlib import Path

import pytest

from adapters.contract import AdapterError, Intake
from adapters.registry import KINDS
from adapters.spool import Row, Spool
from tests.bench.generate_export import generate


def peak(folder: Path) -> tuple[int, int]:
    """Clients read, and the most memory that Python held at one time, in bytes."""
    source = KINDS["registration-csv"]({})
    tracemalloc.start()
    clients = sum(isinstance(each, Intake) for each in source.intakes(folder))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return clients, most


def test_six_times_the_clients_take_no_more_memory(tmp_path: Path) -> None:
    generate(50, tmp_path / "small")
    generate(300, tmp_path / "large")

    few, little = peak(tmp_path / "small")
    many, much = peak(tmp_path / "large")

    assert (few, many) == (50, 300)
    # The rows of the other clients would take some 2 MB.
    assert much < little + 500_000


def test_the_generated_export_holds_nothing_that_can_not_be_read(tmp_path: Path) -> None:
    generate(50, tmp_path)

    results = list(KINDS["registration-csv"]({}).intakes(tmp_path))

    assert len({each.insz for each in results if isinstance(each, Intake)}) == 50
    assert {each.code.value for each in results if not isinstance(each, Intake)} <= {"duplicate"}


def test_rows_come_back_by_client_part_and_place() -> None:
    rows = [
        ("B", 0, 2, 1, "second client"),
        ("A", 1, 7, 2, "session"),
        ("A", 0, 9, 3, "later row"),
        ("A", 0, 4, 4, "earlier row"),
    ]
    with Spool() as spool:
        spool.add(rows)
        found = {reference: list(group) for reference, group in spool.by_reference()}

    assert found == {
        "A": [Row(*rows[3]), Row(*rows[2]), Row(*rows[1])],
        "B": [Row(*rows[0])],
    }


def test_a_store_that_fails_is_an_adapter_error() -> None:
    spool = Spool()
    with spool:
        spool.add([("A", 0, 2, 1, "row")])

    with pytest.raises(AdapterError, match="TMPDIR"):
        spool.add([("A", 0, 3, 1, "row")])
    with pytest.raises(AdapterError, match="TMPDIR"):
        next(spool.by_reference())
