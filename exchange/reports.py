"""Reports for people: what an import came to, in a screen of text."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.table import Table

_MOST = 12


def import_report(report: Mapping[str, Any]) -> Table:
    """A table of what became of the rows; places and codes, nothing that was in them."""
    table = Table(title=f"{report['kind']} → {report['organisation']}", show_header=False)
    what = "would be stored" if report["dry_run"] else "stored"
    for name, value in (
        ("clients in the export", report["clients"]),
        (what, report["stored"]),
        ("unchanged", report["unchanged"]),
        ("thin files", report["partial"]),
        ("national numbers not kept (no authorisation)", report["numbers_discarded"]),
        ("national numbers that are none", report["numbers_invalid"]),
        ("texts quarantined", len(report["quarantined"])),
        ("rows rejected", len(report["rejected"])),
        ("seconds", report["seconds"]),
    ):
        table.add_row(name, str(value))
    for name, count in sorted(report["dropped"].items(), key=lambda each: -each[1])[:_MOST]:
        table.add_row(f"never read: {name}", str(count))
    for code, count in report["codes"].items():
        table.add_row(f"code {code}", str(count))
    rules = Counter(rule for each in report["quarantined"] for rule in each["rules"])
    for rule, count in sorted(rules.items()):
        table.add_row(f"scanner {rule}", str(count))
    for each in report["rejected"][:_MOST]:
        table.add_row(f"rejected {each['where']}", each["code"])
    if len(report["rejected"]) > _MOST:
        table.add_row("more rejected", f"{len(report['rejected']) - _MOST}; all with --json")
    return table
