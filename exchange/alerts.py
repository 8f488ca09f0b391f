"""What a data protection officer must hear of: one row a day for each thing, with a count.

Written in the commit of the decision that it is about, also when that was a no. It names who
asked and for what, and nobody who was asked about. Never commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Connection, func, select
from sqlmodel import Field, SQLModel, col

from audit.prepared import Prepared, together

MOST = 1000
"""How many are shown at once, the newest first."""


class AlertKind(StrEnum):
    """What happened. `volume_…`: the persons of a year under an agreement, against the agreed."""

    PROHIBITED_PURPOSE = "prohibited_purpose"
    VOLUME_NEARLY = "volume_nearly"
    VOLUME_REACHED = "volume_reached"
    VOLUME_REFUSED = "volume_refused"


_KINDS = ", ".join(f"'{kind}'" for kind in AlertKind)
_RAISE = Prepared(
    "INSERT INTO alert (shard, day, kind, organisation, purpose, agreement, application,"
    " first_at, last_at, times) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
    " ON CONFLICT (shard, day, kind, organisation, purpose, agreement) DO UPDATE SET"
    " times = alert.times + 1, last_at = excluded.last_at, application = excluded.application"
)


class AlertRow(SQLModel, table=True):
    """One alert of one day (Belgian). `application` is the last that caused it; times in µs."""

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="ck_alert_kind"),
        CheckConstraint("length(day) = 10", name="ck_alert_day"),
        CheckConstraint("length(organisation) BETWEEN 1 AND 60", name="ck_alert_organisation"),
        CheckConstraint("length(purpose) BETWEEN 2 AND 8", name="ck_alert_purpose"),
        CheckConstraint("length(agreement) <= 40", name="ck_alert_agreement"),
        CheckConstraint("length(application) BETWEEN 1 AND 60", name="ck_alert_application"),
    )

    shard: int = Field(primary_key=True)
    day: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    organisation: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    agreement: str = Field(primary_key=True)
    application: str
    first_at: int = Field(sa_type=BigInteger)
    last_at: int = Field(sa_type=BigInteger)
    times: int = Field(sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to be told: who asked, with which application, for which purpose."""

    kind: AlertKind
    organisation: str
    application: str
    purpose: str
    agreement: str = ""

    @property
    def about(self) -> tuple[str, str, str]:
        """What makes two of a day the same one, beside their kind."""
        return self.organisation, self.purpose, self.agreement


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as it stands: how often on that day, first and last (µs)."""

    day: str
    kind: str
    organisation: str
    purpose: str
    agreement: str
    application: str
    first_at: int
    last_at: int
    times: int

    def document(self) -> dict[str, object]:
        return asdict(self)


def keep(
    connection: Connection, *, shard: int, alerts: Iterable[Alert], day: date, at: int
) -> None:
    """Keep these, each added to the same one of its day."""
    rows = [
        (shard, day.isoformat(), each.kind.value, *each.about, each.application, at, at)
        for each in alerts
    ]
    if rows:
        together(connection, (_RAISE, rows))


def standing(connection: Connection, *, shard: int, since: str = "") -> Sequence[Standing]:
    """The newest alerts, of the day `since` (YYYY-MM-DD) and later."""
    columns = [col(getattr(AlertRow, name)) for name in Standing.__dataclass_fields__]
    mine = (col(AlertRow.shard) == shard) & (col(AlertRow.day) >= since)
    newest = select(*columns).where(mine).order_by(col(AlertRow.last_at).desc()).limit(MOST)
    return [Standing(*row) for row in connection.execute(newest)]


def counted(connection: Connection, *, shard: int) -> dict[str, int]:
    """How often each kind was raised, over all days."""
    total = select(col(AlertRow.kind), func.sum(col(AlertRow.times)))
    rows = connection.execute(total.where(col(AlertRow.shard) == shard).group_by(AlertRow.kind))
    return dict.fromkeys(map(str, AlertKind), 0) | {kind: int(times) for kind, times in rows}
