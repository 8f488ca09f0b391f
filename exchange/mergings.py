"""Mergers of organisations, and how far the look at every consent has come for each."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from exchange.directory import documents, put_documents
from policies.vocabulary import OrganisationId


@dataclass(frozen=True, slots=True)
class Merging:
    """A merger (`at` in µs), and the last consent that was looked at for it."""

    organisation: OrganisationId
    into: OrganisationId
    at: int
    after: str = ""
    done: bool = False


def unfinished(connection: Connection, *, shard: int) -> Merging | None:
    """A merger for which not all consents have been looked at, if there is one."""
    found = documents(connection, shard=shard, kind="merger").values()
    return next((Merging(**each) for each in found if not each["done"]), None)


def keep(connection: Connection, *, shard: int, merging: Merging) -> None:
    """Keep how far it has come. Nobody reads that but the sweep: the directory has not moved."""
    new = {str(merging.organisation): asdict(merging)}
    put_documents(connection, shard=shard, kind="merger", new=new)
