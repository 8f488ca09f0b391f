"""Every table there is: importing this makes the metadata complete, for migrations and tests."""

from audit import published as audit_heads
from audit import records as audit_tables
from consent import proof_records
from consent import records as consent_tables
from exchange import directory, dual_control, ended, handovers, installation, key_shelves, records

OURS = (directory, dual_control, ended, handovers, installation, key_shelves, records)
ALL = (audit_tables, audit_heads, consent_tables, proof_records, *OURS)
