"""What clients agreed to: give, narrow, renew, withdraw, and look up for a decision.

Every verb works inside a transaction that somebody else began and will commit. None asks a
clock or makes an id. What a consent says is only ever written sealed, and bound to how its
row stands: a row whose state, controller or version was altered behind the register's back
can not be opened any more.
"""

from sqlalchemy import Connection

from consent import records
from consent.changes import (
    Changed,
    Withdrawn,
    count_use,
    fall_due,
    give,
    invalidate,
    renew,
    resume,
    revoke,
    suspend,
    suspend_speaking_of,
    withdraw,
)
from consent.looking import (
    CONSENTS,
    NOBODYS,
    ConsentView,
    consents_of,
    facts_about,
    is_held,
    receipt_of,
    standing,
)
from consent.notices import Notice, NoticeLibrary
from consent.recipients import Asking
from consent.sealed import Sealing
from consent.standing import ConsentFacts

__all__ = [
    "CONSENTS",
    "NOBODYS",
    "Asking",
    "Changed",
    "ConsentFacts",
    "ConsentView",
    "NoticeChanged",
    "Sealing",
    "Withdrawn",
    "consents_of",
    "count_use",
    "facts_about",
    "fall_due",
    "give",
    "invalidate",
    "is_held",
    "keep_notice",
    "notices_in",
    "receipt_of",
    "renew",
    "resume",
    "revoke",
    "standing",
    "suspend",
    "suspend_speaking_of",
    "withdraw",
]


class NoticeChanged(Exception):
    """That version of a notice is in use with another text. A new text needs a new version."""


def keep_notice(connection: Connection, *, shard: int, notice: Notice) -> bool:
    """Put a notice into use; false when it already is. Raises `NoticeChanged`."""
    library = notices_in(connection, shard=shard)
    known = library.known(notice.id, notice.version, notice.lang)
    if known is None:
        records.add_notice(connection, shard=shard, notice=notice)
    elif known != notice.sha256:
        raise NoticeChanged
    return known is None


def notices_in(connection: Connection, *, shard: int) -> NoticeLibrary:
    """Every notice in use, as it stands now."""
    return NoticeLibrary(records.notices_in(connection, shard=shard))
