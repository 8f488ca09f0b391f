"""What exactly a client agreed to, as one hash: the same when it was shown and when it is given."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from consent.content import Bound, Grant, Terms, canonical
from policies.at_most import Levels
from policies.vocabulary import ClientId, GrantId

_NOTICE = ("id", "version", "lang", "sha256", "filled_sha256")


def with_bounds(
    terms: Terms,
    bounds: Mapping[GrantId, Mapping[str, Levels]],
    *,
    client: ClientId,
    now: int,
) -> Terms:
    """The terms with what each grant could let leave, by organisation, and with their hash.

    A grant without bounds lets nothing leave, to nobody. `now` is an instant.
    """
    grants = tuple(replace(g, bounds=_together(bounds.get(g.id, {}))) for g in terms.grants)
    bound = replace(terms, grants=grants)
    return replace(bound, agreed=agreed_hash(bound, client=client, now=now))


def agreed_hash(terms: Terms, *, client: ClientId, now: int) -> str:
    """SHA-256 in hex: whose it is, sections, fields and precision for each recipient, the notice.

    Purpose, operations, end, denials and refusals count as well, a beginning that is still to
    come, and the notice as it was filled in. Neither the moment, nor how it is proved, nor the
    numbers of the grants.
    """
    said = {
        "client": client,
        "notice": {name: getattr(terms.notice, name) for name in _NOTICE},
        "functions": sorted(terms.functions),
        "grants": _sorted(_agreed(each, now) for each in terms.grants),
        "denials": _sorted(terms.denials),
        "refused": _sorted(terms.refused),
    }
    return hashlib.sha256(canonical(said)).hexdigest()


def _sorted(said: Iterable[object]) -> list[object]:
    """In one order, whichever they came in; one alone is in order."""
    several = list(said)
    return several if len(several) < 2 else sorted(several, key=canonical)  # noqa: PLR2004


def _agreed(grant: Grant, now: int) -> dict[str, object]:
    return {
        "purpose": grant.purpose,
        "recipient": grant.recipient,
        "sections": sorted(grant.sections),
        # Some codes leave as they are only where the grant names their field.
        "names": grant.names,
        "ops": grant.ops,
        # What begins at once began a moment later than it was shown.
        "start": grant.start if grant.start > now else None,
        "end": grant.end,
        "until_event": grant.until_event,
        "max_uses": grant.max_uses,
        "onward": grant.onward,
        "bounds": grant.bounds,
    }


def _together(levels: Mapping[str, Levels]) -> tuple[Bound, ...]:
    """One bound for all organisations that may get the same; none for who may get nothing."""
    recipients: dict[Levels, list[str]] = {}
    for recipient, may in sorted(levels.items()):
        if may:
            recipients.setdefault(may, []).append(recipient)
    return tuple(Bound(tuple(names), may) for may, names in recipients.items())
