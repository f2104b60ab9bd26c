"""Takes a dossier system's rows so that each event counts once, and counts its open dossiers daily; it logs no content.

A row that comes again, as in an export that is written whole every night, adds only what is new of its dossier.  The
events of a step and the digests that recognise them are committed together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from edge_agent.log import Logger
from edge_agent.mapping.ticket_ledger import ENDINGS
from edge_agent.sources import ignore_alarm
from edge_agent.sources.parsing import MAX_AGE_MS, BadEvent, refuse_impossible_times
from edge_agent.sources.queue_mapping import RowMapper
from edge_agent.sources.seen_events import DIGEST_LENGTH, QueueCursor, SeenEvents
from edge_agent.sources.skipped_events import SkippedEvents, current_time_ms
from telemetry.core.calendar.windows import to_local
from telemetry.core.protocol.codec import MAX_FUTURE_MS
from telemetry.core.protocol.events import DossierBacklog, DossierReceived, DossierResolved, event_type_of
from telemetry.text_file import read_text_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from edge_agent.mapping.cell_parsing import RowCells
    from edge_agent.mapping.document import ReplayMapping
    from edge_agent.mapping.ticket_ledger import RepeatRule
    from edge_agent.sources import Sink
    from telemetry.core.protocol.administrative_events import UnitLevel
    from telemetry.core.protocol.events import AlarmCode, Event

_log = Logger(__name__)
CHUNK_EVENTS = 500
"""Events of one commit."""
MEMORY_PAGES = 1_024
"""Pages of remembered events: 524,288 in all."""
MAX_FEED_EVENTS = 262_144
"""Most events of one export, half of what is remembered, so that what left the export is forgotten first."""
MIN_SALT_CHARS = 16
_SALT_REMEDY = "write one for the user motcua only: head -c 32 /dev/urandom | base64 > FILE"


class SaltUnreadable(OSError):
    """The file with the site's secret is missing, unreadable or too short."""


def read_salt(path: Path) -> str:
    """Return the site's secret, from which ids are made; at least MIN_SALT_CHARS long. Raises SaltUnreadable."""
    try:
        salt = read_text_file(path).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SaltUnreadable(f"{path}: cannot be read ({type(error).__name__}); {_SALT_REMEDY}") from None
    if len(salt) < MIN_SALT_CHARS:
        raise SaltUnreadable(f"{path}: shorter than {MIN_SALT_CHARS} signs; {_SALT_REMEDY}")
    return salt


@dataclass(slots=True)
class OpenDossiers:
    """The dossiers of one whole export that have no result, by level, with their due times."""

    _open: dict[str, tuple[UnitLevel | None, int | None]] = field(default_factory=dict)
    _resolved: set[str] = field(default_factory=set)
    _levels: set[UnitLevel | None] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Note a dossier that was received or resolved; the order does not matter."""
        if isinstance(event, DossierReceived | DossierResolved):
            self._levels.add(event.level)
        if isinstance(event, DossierReceived) and event.dossier not in self._resolved:
            self._open[event.dossier] = (event.level, event.due)
        elif isinstance(event, DossierResolved):
            self._resolved.add(event.dossier)
            self._open.pop(event.dossier, None)

    def count(self, now: int) -> list[DossierBacklog]:
        """Return how many dossiers are open and past due at `now`, for each level of the export."""
        open_by_level = Counter(level for level, _ in self._open.values())
        overdue_by_level = Counter(level for level, due in self._open.values() if due is not None and due < now)
        return [
            DossierBacklog(n=1, t=now, level=level, open=open_by_level[level], overdue=overdue_by_level[level])
            for level in sorted(self._levels, key=str)
        ]


@dataclass(slots=True)
class _Step:
    """What one list of rows has given so far."""

    is_whole: bool
    skipped: SkippedEvents = field(default_factory=SkippedEvents)
    older: int = 0
    ahead: int = 0
    events: int = 0
    has_new: bool = False
    is_too_long: bool = False
    occurrences: Counter[str] = field(default_factory=Counter)
    dossiers: OpenDossiers = field(default_factory=OpenDossiers)


@dataclass(slots=True)
class DossierFeed:
    """The events of one dossier system; `clock` returns Unix ms. Rows that cannot be read are counted and skipped."""

    name: str
    mapping: ReplayMapping
    salt_file: Path
    clock: Callable[[], int] = current_time_ms
    raise_alarm: Callable[[AlarmCode, str], None] = ignore_alarm
    skipped_rows: int = 0
    has_rows_ahead: bool = False
    """Whether the last step had rows of a time that has not come."""
    _mapper: RowMapper | None = None
    _seen: SeenEvents | None = None
    _latest: OpenDossiers | None = None

    def read_next(self, outbox: Sink) -> str:
        """Return the dossier system's own cursor after the last commit, empty at first."""
        return self._memory().read_cursor(outbox).next

    def take_rows(
        self, outbox: Sink, rows: Iterable[RowCells | None], next_cursor: str | None = None, *, is_whole: bool
    ) -> bool:
        """Append the events of the rows that never came before; returns whether there were any.

        A row that is None could not be read.  `is_whole`: the rows are all dossiers, so those without a result are the
        open ones.  Raises SaltUnreadable before the first row.
        """
        step = _Step(is_whole)
        pairs = self._identify(rows, step)
        while chunk := dict(islice(pairs, CHUNK_EVENTS)):
            self._commit(outbox, chunk, step)
        if next_cursor is not None:
            cursor = self._memory().read_cursor(outbox)
            if cursor.next != next_cursor:
                self._append(outbox, [], QueueCursor(next_cursor, cursor.seen, cursor.pages))
        self._report(step)
        self.has_rows_ahead = step.ahead > 0
        self._latest = step.dossiers if is_whole and not step.is_too_long else None
        return step.has_new

    def publish_backlog(self, outbox: Sink) -> bool:
        """Append the numbers of open dossiers once a local day; returns whether it did.

        Nothing is published when the last step did not have all dossiers.
        """
        now = self.clock()
        day = to_local(now, self.mapping.zone).date().isoformat()
        name = f"{self.name}/backlog"
        if self._latest is None or outbox.cursor(name) == day:
            return False
        outbox.append(self._latest.count(now), source=name, cursor=day)
        return True

    def forget_dossiers(self) -> None:
        """Publish no backlog until all dossiers are read again: those of an old export are not open now."""
        self._latest = None

    def _memory(self) -> SeenEvents:
        if self._seen is None:
            self._seen = SeenEvents(self.name, MEMORY_PAGES)
        return self._seen

    def _identify(self, rows: Iterable[RowCells | None], step: _Step) -> Iterator[tuple[str, Event]]:
        """Yield the events of the rows with the digests that identify them."""
        if self._mapper is None:
            self._mapper = RowMapper(self.mapping, f"feed:{self.mapping.name}:{read_salt(self.salt_file)}")
        now = self.clock()
        for row in rows:
            events = self._map_row(self._mapper, row, now, step)
            for digest, event in _with_digests(events, self.mapping.repeats, step.occurrences):
                step.dossiers.add(event)
                if not _is_due(event, now, step):
                    continue
                if step.events >= MAX_FEED_EVENTS:
                    step.is_too_long = True
                    return
                step.events += 1
                yield digest, event

    def _map_row(self, mapper: RowMapper, row: RowCells | None, now: int, step: _Step) -> list[Event]:
        """Return the row's events; none of a row that cannot be read, which is counted."""
        if row is None:
            step.skipped.count += 1
            return []
        try:
            events = mapper.map_cells(row)
            for event in events:
                refuse_impossible_times(event, now)
        except (BadEvent, RecursionError) as error:
            step.skipped.add(error)
            return []
        return events

    def _commit(self, outbox: Sink, chunk: dict[str, Event], step: _Step) -> None:
        memory = self._memory()
        cursor = memory.read_cursor(outbox)
        unseen = memory.unseen(cursor, chunk)
        new = {digest: event for digest, event in chunk.items() if digest in unseen}
        if new:
            self._append(outbox, list(new.values()), QueueCursor(cursor.next, (*cursor.seen, *new), cursor.pages))
            step.has_new = True

    def _append(self, outbox: Sink, events: list[Event], cursor: QueueCursor) -> None:
        outbox.append(events, source=self.name, cursor=msgspec.json.encode(cursor).decode())

    def _report(self, step: _Step) -> None:
        self.skipped_rows += step.skipped.count
        if step.older:
            _log.info("old_events_left_out", source=self.name, events=step.older, older_than_ms=MAX_AGE_MS)
        if step.skipped.count:
            step.skipped.log_units(_log, self.name)
            _log.warning("bad_rows_skipped", source=self.name, rows=step.skipped.count, since_start=self.skipped_rows)
        if step.is_too_long:
            remedy = "export the dossiers of one year only"
            _log.error("export_too_long", source=self.name, most_events=MAX_FEED_EVENTS, remedy=remedy)
        if step.skipped.count or step.is_too_long:
            self.raise_alarm("events_skipped", self.name)


def _is_due(event: Event, now: int, step: _Step) -> bool:
    """Return whether ingest would take the event now; what is too old or ahead is counted."""
    is_ahead, is_old = event.t > now + MAX_FUTURE_MS, now - event.t > MAX_AGE_MS
    step.ahead += is_ahead
    step.older += is_old
    return not is_ahead and not is_old


def _with_digests(events: list[Event], repeats: RepeatRule, occurrences: Counter[str]) -> Iterator[tuple[str, Event]]:
    """Yield a row's events with what identifies them: type and dossier, and the place among equal ones.

    Those of a row without a dossier are identified by all their fields; the k-th of equal ones is the k-th of before.
    """
    subject = next((ident for event in events if (ident := _subject_of(event))), "")
    in_row: Counter[str] = Counter()
    for event in events:
        kind = event_type_of(event)
        key = f"{kind}\x1f{subject}" if subject else msgspec.json.encode(event).decode()
        if subject and repeats == "by-time" and kind not in ENDINGS:
            key += f"\x1f{event.t}"
        in_row[key] += 1
        if not subject:
            occurrences[key] += 1
        place = in_row[key] if subject else occurrences[key]
        yield blake2b(f"{key}\x1f{place}".encode(), digest_size=DIGEST_LENGTH // 2).hexdigest(), event


def _subject_of(event: Event) -> str:
    return getattr(event, "dossier", "") or getattr(event, "ticket", "")
