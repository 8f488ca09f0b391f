"""The events about the log and the installation: nobody personal, and public for ever."""

from dataclasses import dataclass

from audit.recording import LogEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOpened(LogEvent):
    """The first entry of a log. Of one that takes the place of another: which, and what is lost.

    `prev` is the origin of the one before, `prev_size` and `prev_root` (hex) its last signed
    head, `prev_ck` the SHA-256 (hex) of that head's note.
    """

    kind = "log.opened"
    epoch: int
    prev: str | None = None
    prev_size: int | None = None
    prev_root: str | None = None
    prev_ck: str | None = None
    lost_from: int | None = None
    lost_to: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(LogEvent):
    """A key took over from size `from_size` on; `use` is log, receipt, kek or index."""

    kind = "key.rotated"
    use: str
    old: str
    new: str
    from_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased(LogEvent):
    """A person's key was destroyed: its fingerprint, the parts, the law, the request."""

    kind = "subject.erased"
    kf: str
    n: int
    lb: str
    rq: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsExpired(LogEvent):
    """Parts have had their time: how many, by which rules."""

    kind = "parts.expired"
    n: int
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPruned(LogEvent):
    """The entries before `min` are no longer kept: the root over them (hex), the written policy."""

    kind = "log.pruned"
    min: int
    policy: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsLost(LogEvent):
    """Parts of the entries in `[from_size, to)` were in no copy that was left: how many."""

    kind = "parts.lost"
    n: int
    from_size: int
    to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged(LogEvent):
    """Another policy bundle is in force."""

    kind = "policy.changed"
    new: str
    old: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminChanged(LogEvent):
    """An operator or administrator changed something: `what`, the `act`, and which one."""

    kind = "admin.changed"
    what: str
    act: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminStarted(LogEvent):
    """The service started, in this version and configuration."""

    kind = "admin.started"
    ver: str
    cfg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFailures(LogEvent):
    """How often an application failed to authenticate in a minute."""

    kind = "auth.failures"
    n: int
    app: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeImported(LogEvent):
    """An import was closed: `drop` names it or counts dropped fields; the rest are counts."""

    kind = "intake.imported"
    adapter: str
    drop: int | str
    n: int
    quar: int
    rej: int
