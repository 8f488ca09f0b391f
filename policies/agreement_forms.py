"""The forms of others that an agreement can be had in."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from policies.agreements import Agreement
from policies.dpv_agreement import dpv_agreement
from policies.odrl import odrl_agreement

FORMS: Mapping[str, Callable[[Agreement, str, date], dict[str, Any]]] = {
    "odrl": odrl_agreement,
    "dpv": dpv_agreement,
}
"""By name; each is made of the agreement, the address of the public register, and a day."""
