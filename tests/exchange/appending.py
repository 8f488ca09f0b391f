"""A process of its own that appends, and says what was acknowledged: `python -m` this, FOLDER."""

import sys
from pathlib import Path

from exchange.services import build_services
from exchange.settings import Settings
from tests.builders import Clock
from tests.exchange.commands import PATIENCE, keep

TEXTS = ("one", "two", "three")


def main(folder: str) -> None:
    services = build_services(Settings(data_dir=Path(folder)), clock=Clock())
    say("started")
    for text in TEXTS:
        services.writer.submit(keep, text).result(PATIENCE)
        say(text)
    services.close()


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
