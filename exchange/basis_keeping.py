"""Keep a basis in its client's sealed record, and say what is to be logged of it."""

from dataclasses import replace

from audit.events import Actor, ClientCorrected, ClientObjected
from exchange import records
from exchange.bases import Basis, BasisState
from exchange.considering import ClientRecord
from exchange.records import KnownClient
from exchange.transaction import Transaction


def keep(
    tx: Transaction, application: str, client: KnownClient, record: ClientRecord, basis: Basis
) -> ClientCorrected | ClientObjected:
    """Bring the basis into the record as it stands now.

    Neither recipient nor purpose stands in the leaf: it must not tell who got what about whom.
    """
    kept = tuple(basis if each.id == basis.id else each for each in record.bases)
    bases = kept if basis in kept else (*kept, basis)
    sealed = tx.vault.seal(client.id, replace(record, bases=bases).to_bytes(), "client")
    records.set_client_sealed(tx.connection, shard=tx.shard, client=client.id, sealed=sealed)
    claim = basis.claim
    checked = (basis.checked_by,) if basis.checked_by else ()
    kind = ClientObjected if basis.state is BasisState.OBJECTED else ClientCorrected
    return kind(
        application=application,
        actor=Actor(system=application),
        client=client.id,
        provider=client.holder,
        reason=f"basis_{basis.why}",
        via=basis.code,
        flags=(basis.id, claim.recipient, claim.purpose, *sorted(claim.conditions), *checked),
    )
