"""Recognises repeated events of an import by the ticket's key, in the file and in what is stored. Pure.

It must not read files or stores.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from edge_agent.mapping.expressions import derive_ticket_id
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RepeatRule = Literal["once", "by-time", "each-row"]
"""What a row with another's key is: a repeat; another event of the ticket when its time differs; another ticket."""
ENDINGS = frozenset({"ticket.finished", "ticket.abandoned", "ticket.no_show", "ticket.closed_eod", "dossier.resolved"})
MAX_SAMPLES = 3
_STORED_ELSEWHERE = 0


class RowNumbersTaken(Exception):
    """The outbox has other events under the numbers that this file's events would get."""


@dataclass(frozen=True, slots=True)
class EarlierEvent:
    """An event of an earlier import, and the outbox from which it came."""

    outbox_id: str
    event: ev.Event


class KnownEvent(NamedTuple):
    """An event's content, and its origin: -line in this file, its number in this file's outbox, else 0. Many exist."""

    content: int
    origin: int


@dataclass(frozen=True, slots=True)
class RowJudgement:
    """A row's events that count, and those of them that are to be sent."""

    counted: Sequence[ev.Event] = ()
    new: Sequence[ev.Event] = ()


EventIdentity = tuple[str, int]
"""Type and, where a mapping says that a ticket may have several of a type, its time."""


def _key_of(event: ev.Event) -> str | None:
    return getattr(event, "ticket", None) or getattr(event, "dossier", None)


def _content_of(event: ev.Event) -> int:
    return hash(msgspec.json.encode(msgspec.structs.replace(event, n=1)))


def identity_of(event: ev.Event, repeats: RepeatRule) -> EventIdentity:
    """Return what distinguishes the event from the others of its ticket."""
    return ev.event_type_of(event), event.t if repeats == "by-time" else 0


class EarlierEvents:
    """What is stored of earlier imports into one centre through one mapping, and the ids of its tickets."""

    def __init__(self, events: Iterable[EarlierEvent]) -> None:
        self.events = tuple(events)
        self._ids = {key for e in self.events if (key := _key_of(e.event))}
        self._outboxes = [outbox for outbox, _ in Counter(e.outbox_id for e in self.events).most_common()]

    def find_id(self, key: str) -> str | None:
        """Return the stored id of the ticket with this key: an id is derived from the outbox that first had it."""
        for position, outbox_id in enumerate(self._outboxes):
            ident = derive_ticket_id(outbox_id, key)
            if ident in self._ids:
                if position:
                    self._outboxes.insert(0, self._outboxes.pop(position))
                return ident
        return None


@dataclass(slots=True)
class TicketLedger:
    """The events of each ticket, stored and in this file; numbers the new ones from 1 in the order of rows.

    Counts events already stored, rows that only repeat others of the file, and rows that contradict what is stored or
    an earlier row: of those nothing is sent.
    """

    repeats: RepeatRule
    earlier: EarlierEvents | None = None
    outbox_id: str = ""
    stored_count: int = 0
    new_count: int = 0
    repeated_rows: int = 0
    differing_rows: int = 0
    conflicting_rows: int = 0
    first_repeated: list[int] = field(default_factory=list)
    first_differing: list[int] = field(default_factory=list)
    first_conflicting: list[int] = field(default_factory=list)
    _tickets: dict[str, dict[EventIdentity, KnownEvent]] = field(default_factory=dict)
    _keyless: dict[int, list[int]] = field(default_factory=dict)
    _own_numbers: set[int] = field(default_factory=set)
    _in_file: set[str] = field(default_factory=set)
    _next_n: int = 1

    def __post_init__(self) -> None:
        """Enter what is stored."""
        for earlier in self.earlier.events if self.earlier else ():
            event, is_own = earlier.event, earlier.outbox_id == self.outbox_id
            origin = event.n if is_own else _STORED_ELSEWHERE
            if is_own:
                self._own_numbers.add(event.n)
            key = _key_of(event)
            if key is None:
                self._keyless.setdefault(_content_of(event), []).append(origin)
            else:
                known = KnownEvent(_content_of(event), origin)
                self._tickets.setdefault(key, {})[identity_of(event, self.repeats)] = known
        for origins in self._keyless.values():
            origins.sort()

    @property
    def ticket_count(self) -> int:
        """Return how many tickets and dossiers the file has."""
        return len(self._in_file)

    @property
    def open_count(self) -> int:
        """Return how many tickets and dossiers of the file have no end."""
        return sum(ENDINGS.isdisjoint(kind for kind, _ in self._tickets[key]) for key in self._in_file)

    def judge_row(self, line: int, events: Sequence[ev.Event]) -> RowJudgement:
        """Sort a row's events into new ones and repeats, and number the new ones."""
        matches = [self._match(event) for event in events]
        clashes = [match for match in matches if match.clash is not None]
        if clashes:
            if any((match.clash or 0) < 0 for match in clashes):
                self.conflicting_rows += 1
                _add_sample(self.first_conflicting, line)
            else:
                self.differing_rows += 1
                _add_sample(self.first_differing, line)
            return RowJudgement()
        counted, new = [], []
        for event, match in zip(events, matches, strict=True):
            if match.origin is not None and match.origin < 0:
                continue
            counted.append(event)
            if match.origin is None or match.origin > 0:
                numbered = self._number(event, match.origin)
                if match.origin is None:
                    new.append(numbered)
            self.stored_count += match.origin is not None
            self._enter(event, match.content, line)
        if not counted:
            self.repeated_rows += 1
            _add_sample(self.first_repeated, line)
        self.new_count += len(new)
        return RowJudgement(counted, new)

    def _match(self, event: ev.Event) -> _EventMatch:
        key, content = _key_of(event), _content_of(event)
        if key is None:
            origins = self._keyless.get(content)
            return _EventMatch(content, origins[0] if origins else None)
        known_events = self._tickets.get(key, {})
        identity = identity_of(event, self.repeats)
        known = known_events.get(identity)
        if known is not None:
            is_same = known.content == content
            return _EventMatch(content, known.origin) if is_same else _EventMatch(content, None, known.origin)
        if self.repeats != "by-time" and identity[0] in ENDINGS:
            endings = [other.origin for (kind, _), other in known_events.items() if kind in ENDINGS]
            if endings:
                return _EventMatch(content, None, endings[0])
        return _EventMatch(content, None)

    def _number(self, event: ev.Event, stored_n: int | None) -> ev.Event:
        n = self._next_n
        self._next_n += 1
        if (stored_n is None and n in self._own_numbers) or stored_n not in {None, n}:
            raise RowNumbersTaken
        return msgspec.structs.replace(event, n=n)

    def _enter(self, event: ev.Event, content: int, line: int) -> None:
        key = _key_of(event)
        if key is None:
            if origins := self._keyless.get(content):
                origins.pop(0)
            return
        self._in_file.add(key)
        self._tickets.setdefault(key, {})[identity_of(event, self.repeats)] = KnownEvent(content, -line)


@dataclass(frozen=True, slots=True)
class _EventMatch:
    """An event's content, and the origin of the same event, or of one that contradicts it (`clash`)."""

    content: int
    origin: int | None
    clash: int | None = None


def _add_sample(lines: list[int], line: int) -> None:
    if len(lines) < MAX_SAMPLES:
        lines.append(line)
