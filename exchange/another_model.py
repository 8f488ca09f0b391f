"""The process that knows another summary model; started by `exchange.under_model` alone."""

import pickle
import sys
from importlib import import_module

from policies import summary_model
from policies.summary_model import read_summary_model


def main() -> None:
    """Take the model from the first thing that is said; then answer for it."""
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    data, documents, own, day = pickle.load(asked)  # noqa: S301 - of the process that started us
    try:
        model = read_summary_model(data)
        # Before anything else is imported: whatever asks for the model is given this one.
        summary_model.summary_model = lambda: model  # type: ignore[assignment]  # of this process
        purposes = import_module("policies.purposes")
        purposes.purpose_list()
        answering = import_module("exchange.under_model")
        answering.answer_all(documents, own, day, asked, told)
    except Exception as error:  # noqa: BLE001 - whatever it is, the broker would not start with it
        pickle.dump(f"{type(error).__name__}: {error}", told)


if __name__ == "__main__":
    main()
