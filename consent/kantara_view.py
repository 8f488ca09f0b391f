"""A consent in the shape of the Kantara consent receipt 1.1: a view, for tools that read it.

It says less than the record: no fields, no precision, no denials, and no postal address,
telephone or mail of the controller, which the broker does not keep.
"""

from typing import Any

from consent.content import Grant
from consent.dpv_record import named
from consent.recorded import Recorded, Setting, is_special, last_day
from policies.purposes import purpose
from policies.summary_model import summary_model
from policies.vocabulary import Section

_CONSENT_TYPE = "EXPLICIT"


def kantara_receipt(recorded: Recorded, setting: Setting) -> dict[str, Any]:
    """The receipt; purposes in English, data by the names of our sections."""
    terms = recorded.terms
    standing = [grant for grant in terms.grants if not grant.withdrawn]
    sensitive = sorted({each for grant in standing for each in _sensitive(grant)})
    return {
        "version": "KI-CR-v1.1.0",
        "jurisdiction": "BE",
        "consentTimestamp": int(recorded.given_at.timestamp()),
        "collectionMethod": terms.evidence.method,
        "consentReceiptID": recorded.consent,
        "language": terms.notice.lang.partition("-")[0],
        "piiPrincipalId": setting.handle,
        "piiControllers": [
            {
                "piiController": setting.names.get(recorded.controller, recorded.controller),
                "onBehalf": False,
                "contact": setting.page,
                "piiControllerUrl": setting.page,
            }
        ],
        "policyUrl": setting.page,
        "services": [
            {
                "service": setting.names.get(named(grant.recipient), grant.recipient),
                "purposes": [_purpose(grant, recorded, setting)],
            }
            for grant in standing
        ],
        "sensitive": is_special(terms),
        "spiCat": sensitive,
    }


def _purpose(grant: Grant, recorded: Recorded, setting: Setting) -> dict[str, Any]:
    use = purpose(grant.purpose)
    recipient = setting.names.get(named(grant.recipient), grant.recipient)
    third = grant.recipient != f"org:{recorded.controller}"
    return {
        "purpose": use.labels["en"] if use else grant.purpose,
        "purposeCategory": list(use.dpv) if use else [grant.purpose],
        "consentType": _CONSENT_TYPE,
        "piiCategory": _sections(grant),
        "primaryPurpose": True,
        "termination": last_day(grant) or str(grant.until_event),
        "thirdPartyDisclosure": third,
        **({"thirdPartyName": recipient} if third else {}),
    }


def _sections(grant: Grant) -> list[str]:
    read = {field.partition(".")[0] for field in grant.reads}
    return [section.value for section in Section if section in read]


def _sensitive(grant: Grant) -> list[str]:
    sections = summary_model().sections
    return [each for each in _sections(grant) if sections[Section(each)].explicit_consent]
