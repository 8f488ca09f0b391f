"""Sessions and contacts of one client: counted, never told."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from adapters import forms
from adapters.contract import Problem
from adapters.dossier import Alike, Located
from adapters.forms import Unread
from adapters.mapping import ServiceMapping
from adapters.reading import Context, Mutable, Readers, envelope

_LONGEST_ACTION = 140
_action_text = forms.text(_LONGEST_ACTION)


class _Session(NamedTuple):
    day: str
    minutes: int
    one_to_one: bool
    topics: Sequence[str]
    agreement: str | None


class Trajectory:
    """Makes `traj` and `agree` of the rows about sessions and contacts."""

    def __init__(self, mapping: ServiceMapping, readers: Readers) -> None:
        part = mapping.sessions
        self._told = bool(part.columns)
        self._day = readers.day
        self._minutes = forms.hours if mapping.length_unit == "hours" else forms.minutes
        self._at = {key: part.columns.index(each) for key, each in part.keys.items() if each}
        self._keys = part.keys
        self._one_to_one = readers.value(part, "one_to_one")
        self._topics = readers.group(part, "topics.")
        self._topic_list = readers.value(part, "topics")
        self._counted = bool(mapping.contacts.columns or mapping.counts)
        self._channel = readers.value(mapping.contacts, "channel")
        self._registered = mapping.registered
        # Without rows of their own, counts come as pairs of channel and count.
        self._channel_at, self._channel_column, self._count_at, self._count = (
            0,
            "channel",
            1,
            "count",
        )
        if self._channel:
            self._channel_at, self._channel_column = self._channel.places[0]
            self._count = mapping.contacts.keys["count"]
            self._count_at = mapping.contacts.columns.index(self._count)

    def into(
        self,
        sections: Mutable,
        sessions: Sequence[Located],
        contacts: Sequence[Alike],
        context: Context,
    ) -> None:
        """Add the fields. A session that can not be read in full counts for nothing."""
        if self._told:
            read = [self._session(row, context) for row in sessions]
            self._tell(sections, [each for each in read if each], context)
        if self._counted:
            counts = self._counts(contacts, context)
            made = envelope(counts or None, "counsellor", context.observed, "not_asked")
            sections.setdefault("traj", {})["microcontacts"] = made

    def _tell(self, sections: Mutable, sessions: list[_Session], context: Context) -> None:
        alone = [each for each in sessions if each.one_to_one]
        last = max((each.day for each in sessions), default=context.observed)
        told: dict[str, Any] = {
            "sessions": len(alone),
            "session_months": sorted({each.day[:7] for each in alone}),
            "minutes_total": sum(each.minutes for each in alone),
            "info_given": list(dict.fromkeys(topic for each in sessions for topic in each.topics)),
        }
        for name, value in told.items():
            made = envelope(value, "counsellor", last, "not_asked")
            sections.setdefault("traj", {})[name] = made
        if "agreement" not in self._at:
            return
        # Two open actions in the same words are one action: nothing else tells them apart.
        texts = dict.fromkeys(each.agreement for each in sessions if each.agreement)
        actions = [
            {"what": "other", "text": text, "who": "client", "status": "open"} for text in texts
        ]
        made = envelope(actions or None, "counsellor", last, "not_asked")
        sections.setdefault("agree", {})["actions"] = made

    def _session(self, row: Located, context: Context) -> _Session | None:
        here = Context(row.where, None, context.problems)
        day = self._day(self._cell(row, "date"))
        if isinstance(day, Unread):
            here.problem(day.code, self._keys["date"])
            return None
        minutes = self._minutes(self._cell(row, "length"))
        if isinstance(minutes, Unread):
            here.problem(minutes.code, self._keys["length"])
            return None
        alone = self._one_to_one.read(row.cells, here) if self._one_to_one else True
        if alone is None:
            return None
        topics = [name for name, each in self._topics.items() if each.read(row.cells, here)]
        if self._topic_list:
            topics = self._topic_list.read(row.cells, here) or []
        return _Session(day, minutes, alone, topics, self._agreement(row, here))

    def _cell(self, row: Located, key: str) -> str:
        cell = row.cells[self._at[key]]
        return cell if isinstance(cell, str) else ""

    def _agreement(self, row: Located, here: Context) -> str | None:
        cell = self._cell(row, "agreement") if "agreement" in self._at else ""
        if not cell:
            return None
        found = _action_text(cell)
        if isinstance(found, Unread):
            here.problem(found.code, self._keys["agreement"])
            return None
        return str(found)

    def _counts(self, contacts: Sequence[Alike], context: Context) -> dict[str, int]:
        counts = dict.fromkeys(self._registered, 0)
        for alike in contacts:
            name: Any = alike.cells[self._channel_at]
            name = self._channel.parse(name) if self._channel else name
            count = forms.whole(str(alike.cells[self._count_at]))
            for found, column in ((name, self._channel_column), (count, self._count)):
                if isinstance(found, Unread):
                    context.problems.extend(
                        Problem(where, found.code, column) for where in alike.places
                    )
            if isinstance(count, int) and not isinstance(name, Unread):
                counts[name] = counts.get(name, 0) + count * len(alike.places)
        return counts
