"""A preview as it is answered: what would leave, field by field, opened after the commit."""

from typing import Any

from exchange.considering import opened_with
from exchange.flows.preview_consent import Preview, Previewed
from exchange.security.vault import Vault
from policies.reduction import reduced
from policies.vocabulary import ClientId


def preview_document(vault: Vault, previewed: Previewed) -> dict[str, Any]:
    """The answer: one preview for each recipient and purpose, the text, and the hash of it all."""
    notice = previewed.terms.notice
    return {
        "previews": [_shown(vault, previewed.client, each) for each in previewed.previews],
        "notice": {
            "id": notice.id,
            "version": notice.version,
            "lang": notice.lang,
            "sha256": notice.sha256,
            "filled_sha256": previewed.notice.sha256,
            "text": previewed.notice.text,
            "lacking": list(previewed.notice.lacking),
        },
        "hash": previewed.terms.agreed,
    }


def _shown(vault: Vault, client: ClientId, preview: Preview) -> dict[str, Any]:
    sections = {each.section: opened_with(vault, client, each) for each in preview.sections}
    leaves, precision = reduced(sections, preview.release)
    return {
        "recipient": f"org:{preview.recipient}",
        "purpose": preview.purpose,
        "grants": list(preview.grants),
        "reason": preview.reason,
        "protocol": preview.protocol,
        "sections": leaves if preview.reason is None else {},
        "precision": precision,
        "may": dict(preview.may),
        "withheld": [{"field": field, "why": why} for field, why in preview.withheld.items()],
    }
