"""Which kinds of adapters there are. A new kind is one file and one line here."""

from collections.abc import Callable, Mapping

from adapters.contract import IntakeSource
from adapters.registration_csv import RegistrationCsv
from adapters.registration_jsonl import RegistrationJsonl

KINDS: Mapping[str, Callable[[Mapping[str, str]], IntakeSource]] = {
    "registration-csv": RegistrationCsv,
    "registration-jsonl": RegistrationJsonl,
}
"""Sources of intakes by kind. Each takes settings: `{}` or `{"mapping": name or path}`.

Raises `BadMapping`, an `AdapterError`, when the mapping can not be used.
"""
