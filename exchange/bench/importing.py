"""One import in a process of its own, so that its memory can be told from anything else's."""

import json
import resource
import sys
from pathlib import Path

from exchange.flows.administer import apply_documents
from exchange.importing import Import
from exchange.samples import directory_documents
from exchange.services import build_services
from exchange.settings import read_settings


def main(folder: Path) -> None:
    """Import one export into the installation of the settings, and print what it took."""
    services = build_services(read_settings())
    services.writer.submit(apply_documents, directory_documents()).result()
    run = Import(services, "registration-csv", "leerwinkel-wvl", dry_run=False)
    for _ in run.run(folder):
        pass
    services.close()
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = sum(resource.getrusage(each).ru_maxrss for each in who) / 1024
    rate = run.report.stored / run.report.seconds
    print(json.dumps({"per_second": round(rate), "peak_mb": round(peak)}))  # noqa: T201 - for who started us


if __name__ == "__main__":
    main(Path(sys.argv[1]))
