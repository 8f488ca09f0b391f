"""The public register: every agreement in every version, as it was written down.

It holds nothing of any client. What ended, was suspended or was replaced stays.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from exchange.directory import Directory, documents
from policies.agreement_document import Agreement, read_agreement
from policies.protocol import Protocol
from policies.protocol_text import how_it_stands, protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of one agreement. `replaced_by` is the version after it, if there is one."""

    agreement: Agreement
    document: Mapping[str, Any]
    replaced_by: str = ""
    steps: tuple[tuple[date, str], ...] = ()
    """What happened to it that its document does not say, as a day and words."""

    @property
    def version(self) -> str:
        return self.agreement.version or "0"

    @property
    def address(self) -> str:
        """Where this version stands for ever."""
        return f"/agreements/{self.agreement.id}/versions/{self.version}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the document, members sorted and without spaces, in hex."""
        told = json.dumps(self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def written(self) -> date:
        """The day of the document itself: its first in force, whenever it is looked at."""
        days = [self.agreement.valid_from, self.agreement.review_on]
        return next((day for day in days if day is not None), date.min)

    def protocol(self, on: date, names: Mapping[str, str]) -> Protocol:
        """It, to be read."""
        return protocol(
            self.agreement, on=on, names=names, replaced_by=self.replaced_by, steps=self.steps
        )

    def stands(self, on: date, names: Mapping[str, str]) -> tuple[str, str]:
        """How it stands on a day, as a code and as a sentence."""
        return how_it_stands(self.agreement, on=on, names=names, replaced_by=self.replaced_by)


def editions(
    connection: Connection, directory: Directory, *, shard: int
) -> Mapping[str, Sequence[Edition]]:
    """Every version of every agreement by its id, the newest first."""
    known = {each.id: each for each in directory.agreements}
    return {
        id: (Edition(agreement=known.get(read.id, read), document=document),)
        for id, document in documents(connection, shard=shard, kind="agreement").items()
        for read in (read_agreement(document),)
    }
