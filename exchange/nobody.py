"""What is opened and read of a client whom nobody knows: as much as of one who is known."""

from consent.content import Capacity, Evidence, Shown, Terms, from_bytes, to_bytes
from exchange.security.vault import Vault

_RECORD = b'{"flags":[],"identity":{"alias":"nobody"}}'
_WORDS = to_bytes(
    Terms(
        functions=("gdpr_consent",),
        capacity=Capacity("adult"),
        notice=Shown("N-none", "1.0", "nl", "desk", "0" * 64),
        evidence=Evidence("oral", witness="nobody"),
        grants=(),
    )
)


def record_of_nobody(vault: Vault) -> bytes:
    """What would be sealed in the row that there is not; the name in it is nobody's."""
    return vault.open_decoy(_RECORD)


def read_no_consent(vault: Vault) -> None:
    """The work of opening and reading a consent, where there is none."""
    from_bytes(vault.open_decoy(_WORDS))
