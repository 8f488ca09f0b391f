"""What proves a consent after it was given: the client's own code, and the signed page.

As in the register, every verb works inside a transaction that somebody else began, asks no
clock, and knows no consent but those of the controller who asks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from consent import proof_records, records, sealed
from consent.belgian_time import instant
from consent.codes import Code, Codes, worn_out
from consent.content import Terms
from consent.lifecycle import Happening, Stands, after, releases
from consent.proof_records import Document
from consent.records import ConsentRow
from consent.register import Changed
from consent.sealed import Sealing
from consent.ways import unconfirmed
from policies.decision import Refused
from policies.vocabulary import ClientId, ConsentId, ConsentState, OrganisationId, Reason

CodesOf = Callable[[ClientId], Codes]
"""The keyed hashes for a client's codes: under a key that is erased with the client."""


@dataclass(frozen=True, slots=True)
class NotConfirmed:
    """The code did not confirm it: `wrong`, `worn_out`, `too_late` or `not_awaited`.

    No `Refused`: a refusal is undone, and a wrong answer must stay counted.
    """

    client: ClientId
    why: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A consent that nobody confirmed in time, and that has ended."""

    consent: ConsentId
    client: ClientId
    controller: OrganisationId


def await_code(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    terms: Terms,
    code: Code,
    codes: CodesOf,
    client: ClientId,
) -> Code | None:
    """Wait for the code if the terms are provisional; then it is given back, to be printed."""
    if terms.confirm_by is None:
        return None
    proof_records.await_code(
        connection,
        shard=shard,
        consent=consent,
        confirm_by=terms.confirm_by,
        digest=codes(client).digest(consent, code),
    )
    return code


def await_anew(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    terms: Terms,
    code: Code,
    codes: CodesOf,
    client: ClientId,
) -> Code | None:
    """The same after a renewal: a code from before confirms nothing any more."""
    proof_records.no_more_code(connection, shard=shard, consent=consent)
    return await_code(
        connection, shard=shard, consent=consent, terms=terms, code=code, codes=codes, client=client
    )


def confirm(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    code: Code | None,
    codes_of: CodesOf,
    at: datetime,
    sealing: Sealing,
) -> Changed | NotConfirmed | Refused:
    """The client says the code back: from now on the consent is no longer provisional.

    Each wrong one counts. What can not be a code (nothing) is wrong and is not counted: a
    letter too few tells nobody anything.
    """
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None or row.controller != controller:
        return Refused(Reason.CONSENT_NOT_FOUND)
    terms = sealed.terms_of(shard, row, sealing)
    why = _not_awaited(row, terms, instant(at))
    if why is None:
        why = _not_it(connection, shard, row, code, codes_of(row.client))
    if why is not None:
        return NotConfirmed(row.client, why)
    proof_records.no_more_code(connection, shard=shard, consent=consent)
    terms = replace(terms, confirm_by=None)
    row = sealed.change(connection, shard, row, terms, at=at, sealing=sealing, via="confirmation")
    state = ConsentState(row.state)
    return Changed(row.client, controller, state, row.suspended, row.version, terms)


def _not_awaited(row: ConsentRow, terms: Terms, moment: int) -> str | None:
    if not releases(ConsentState(row.state)) or terms.confirm_by is None:
        return "not_awaited"
    return "too_late" if unconfirmed(terms, moment) else None


def _not_it(
    connection: Connection, shard: int, row: ConsentRow, code: Code | None, codes: Codes
) -> str | None:
    awaited = proof_records.awaited(connection, shard=shard, consent=row.id)
    if awaited is None:
        return "not_awaited"
    if worn_out(awaited.tries):
        return "worn_out"
    if code is not None and codes.fits(row.id, code, awaited.digest):
        return None
    if code is not None:
        proof_records.count_try(connection, shard=shard, consent=row.id)
    return "wrong"


def lapse(
    connection: Connection, *, shard: int, consent: ConsentId, at: datetime, sealing: Sealing
) -> Lapsed | None:
    """Mark a consent as expired that nobody confirmed in time; no decision waits for it.

    One that ended in another way, or was confirmed by a signature, is only waited for no more:
    then there is nothing to tell. Raises what the sealing raises, and has changed nothing.
    """
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    stands = _expired(row)
    lapsed = None
    if row is not None and stands is not None:
        terms = sealed.terms_of(shard, row, sealing)
        if unconfirmed(terms, instant(at)):
            row = row._replace(state=stands.state, suspended=stands.suspended)
            sealed.change(connection, shard, row, terms, at=at, sealing=sealing, via="unconfirmed")
            lapsed = Lapsed(row.id, row.client, OrganisationId(row.controller))
    proof_records.no_more_code(connection, shard=shard, consent=consent)
    return lapsed


def _expired(row: ConsentRow | None) -> Stands | None:
    if row is None or not releases(ConsentState(row.state)):
        return None
    stands = after(Stands(ConsentState(row.state), row.suspended), Happening.EXPIRED)
    return stands if isinstance(stands, Stands) else None


def keep_document(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    client: ClientId,
    controller: OrganisationId,
    document: Document,
    at: datetime,
    sealing: Sealing,
) -> ClientId | Refused:
    """Keep the page that the consent names by its hash; the same one again changes nothing.

    It comes sealed for `client`, in `context_of` the consent and hash. Refused when the consent
    names another page, or none.
    """
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None or row.controller != controller or row.client != client:
        return Refused(Reason.CONSENT_NOT_FOUND)
    if sealed.terms_of(shard, row, sealing).evidence.sha256 != document.sha256:
        return Refused(Reason.CONTENT_REFUSED, details=("sha256: not_the_evidence",))
    kept = proof_records.document_of(
        connection, shard=shard, consent=consent, sha256=document.sha256
    )
    if kept is None:
        proof_records.add_document(
            connection, shard=shard, consent=consent, document=document, at=instant(at)
        )
    return row.client


def document_for(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    sealing: Sealing,
) -> tuple[ClientId, Document] | Refused:
    """The page that proves the consent as it stands, still sealed, with whose it is."""
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None or row.controller != controller:
        return Refused(Reason.CONSENT_NOT_FOUND)
    named = sealed.terms_of(shard, row, sealing).evidence.sha256 or ""
    kept = proof_records.document_of(connection, shard=shard, consent=consent, sha256=named)
    return Refused(Reason.CONSENT_NOT_FOUND) if kept is None else (row.client, kept)


def context_of(consent: ConsentId, sha256: str) -> str:
    """What binds a sealed page to its consent; the vault adds shard and client."""
    return f"consent-evidence|{consent}|{sha256}"
