"""The forms of others in which a consent is shown: made on reading, never the record itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consent.dpv_record import dpv_record
from consent.fhir_consent import fhir_consent
from consent.kantara_view import kantara_receipt
from consent.odrl_view import odrl_consent
from consent.oslo_view import oslo_consent
from consent.recorded import Recorded, Setting


@dataclass(frozen=True, slots=True)
class View:
    """One form: how it is made, and the media type in which it is sent."""

    made: Callable[[Recorded, Setting], dict[str, Any]]
    media_type: str


VIEWS: Mapping[str, View] = {
    "dpv": View(dpv_record, "application/ld+json"),
    "kantara": View(kantara_receipt, "application/json"),
    "fhir": View(fhir_consent, "application/fhir+json"),
    "oslo": View(oslo_consent, "application/ld+json"),
    "odrl": View(odrl_consent, "application/ld+json"),
}
"""The forms that there are, by the name they are asked for; the first is the whole record."""
