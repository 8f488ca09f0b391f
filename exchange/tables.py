"""Every table there is: importing this makes the metadata complete, for migrations and tests."""

from audit import published as audit_heads
from audit import records as audit_tables
from consent import held as held_tables
from consent import proof_records
from consent import records as consent_tables
from consent import requests as consent_requests
from exchange import (
    agreement_book,
    directory,
    dual_control,
    ended,
    handovers,
    installation,
    key_shelves,
    recalls,
    receivers,
    records,
    stop_codes,
)

OURS = (directory, dual_control, ended, handovers, installation, key_shelves, records)
AGREEMENTS = (agreement_book,)
RECALLS = (recalls, receivers, stop_codes, held_tables)
ALL = (
    audit_tables,
    audit_heads,
    consent_tables,
    proof_records,
    consent_requests,
    *OURS,
    *RECALLS,
    *AGREEMENTS,
)
