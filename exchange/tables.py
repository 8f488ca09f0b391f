"""Every table there is: importing this makes the metadata complete, for migrations and tests."""

from audit import published as audit_heads
from audit import records as audit_tables
from consent import records as consent_tables
from consent import requests as consent_requests
from exchange import directory, dual_control, ended, handovers, installation, key_shelves, records

OURS = (directory, dual_control, ended, handovers, installation, key_shelves, records)
ALL = (audit_tables, audit_heads, consent_tables, consent_requests, *OURS)
