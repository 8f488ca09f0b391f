"""The events about requests for consent: neither side of one finds what only the other may."""

from dataclasses import dataclass

from audit.person_events import ConsentChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequested(ConsentChanged):
    """A partner asked for consent. `reason`: OK when it reaches the client, else why it does not.

    Never names the provider: who asked finds this entry, whoever it asked about.
    """

    kind = "consent.requested"
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAnswered(ConsentChanged):
    """A client answered a request. `yes` and `no` are its lines; `reason` says how it stands.

    Never names the consumer: who asked must not find it.
    """

    kind = "consent.answered"
    request: str
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
