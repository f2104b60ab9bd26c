"""What one reader finishes for many writers: row ranges, dead letters, and events that lie at two times.

Run again at any point, it leaves the same: ranges are joined, dead letters are summed over times that do not
overlap, and a moved event is first noted as a change, then deleted, then accounted for.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from telemetry.core.fold.event_spans import LEVEL_REACH_MS, LOOK_BACK_MS
from telemetry.store.influx import row_ranges
from telemetry.store.influx.influxql import ns, quoted
from telemetry.store.influx.journal import Journal, packed
from telemetry.store.influx.line_protocol import NS_IN_MS, Delta, record, tag, text
from telemetry.store.influx.province_tag import Share
from telemetry.store.influx.row_ranges import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from telemetry.core.figures.completeness import Ranges
    from telemetry.store.influx.address import InfluxAddress
    from telemetry.store.influx.journal import Note
    from telemetry.store.influx.server import Found, Server

NS_IN_US: Final = 1_000
OVERLAP_NS: Final = 60_000_000_000
ASKED_AT_ONCE: Final = 50
ROWS_UNTIL: Final = "rows_until"


class DeadCount(Struct, frozen=True):
    """Dead letters by reason: all of them, and those before `until` (ns), which are never read again."""

    total: dict[str, int] = {}
    settled: dict[str, int] = {}
    until: int = 0


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A row that was written again, and where its points may lie."""

    delta: Delta
    rows: Ranges
    between: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Point:
    time: int
    tags: tuple[tuple[str, str], ...]


class Reconciler:
    """Works on one store; `change` gives the lines that note changes of a time in ns."""

    def __init__(
        self,
        server: Server,
        address: InfluxAddress,
        change: Callable[[int, Sequence[tuple[str, int, int]]], list[bytes]],
    ) -> None:
        self._server, self._at, self._raw, self._state = server, address, address.bucket, address.state
        self._share = Share(address.province)
        self._journal = Journal(server, address.bucket, "rows", Delta)
        self._change = change

    def run(self) -> None:
        """Do all that is due; raises StoreUnavailable, and then goes on next time."""
        question = f"SELECT value FROM mark WHERE label = {quoted(ROWS_UNTIL)} AND {self._share.mine}"
        (marks,) = self._server.ask(self._state, tuple[int, int], question)
        until = max((row[1] for series in marks for row in series.values), default=0)
        fresh = self._journal.fresh(max(until - OVERLAP_NS, 0))
        if fresh:
            self._rows(fresh, until)
            self._journal.keep(fresh)
        self._dead()

    def _rows(self, fresh: Sequence[Note[Delta]], until: int) -> None:
        groups = {row_ranges.group(delta.device) for note in fresh for delta in note.items}
        known = row_ranges.gathered(read_entries(self._server, self._at, groups))
        before = dict(known)
        suspects = list(_join(known, fresh))
        for at in range(0, len(suspects), ASKED_AT_ONCE):
            self._settle(suspects[at : at + ASKED_AT_ONCE])
        changed = {row_ranges.group(key[0]) for key, entry in known.items() if before.get(key) != entry}
        lines = [line for name in sorted(changed) for line in _summary(name, known, self._share.label)]
        until = max(until, fresh[-1].time)
        lines.append(b"mark,label=%b%b value=%di 0" % (ROWS_UNTIL.encode(), self._share.label, until))
        self._server.write(self._state, b"\n".join(lines))

    def _settle(self, suspects: Sequence[_Suspect]) -> None:
        """Leave of each name only the point with the smallest t."""
        answers = self._server.ask(self._raw, tuple[int, int], *(_whereabouts(s) for s in suspects))
        for suspect, found in zip(suspects, answers, strict=True):
            for point in _moved(suspect.rows, found):
                self._move(point, suspect.delta.at * NS_IN_US)

    def _move(self, point: _Point, noted: int) -> None:
        tags = dict(point.tags)
        t = point.time // NS_IN_MS
        left = (tags.get("system") or tags["centre"], max(t - LOOK_BACK_MS, 0), t + LEVEL_REACH_MS + 30_000)
        self._server.write(self._raw, b"\n".join(self._change(noted, [left])))
        series = "".join(f' AND {key}="{value}"' for key, value in point.tags if value)
        moment = _rfc3339(point.time)
        self._server.delete(self._raw, moment, moment, f'_measurement="event"{series}')

    def _dead(self) -> None:
        held = read_dead(self._server, self._at)
        asked = f"SELECT rows FROM dead WHERE time >= {held.until} GROUP BY reason, writer"
        (found,) = self._server.ask(self._raw, tuple[int, int], asked)
        rows = [(time, series.tags["reason"], count) for series in found for time, count in series.values]
        if not rows:
            return
        total = Counter(held.settled)
        for _, reason, count in rows:
            total[reason] += count
        if total == Counter(held.total):
            return
        until = max(held.until, max(rows)[0] - OVERLAP_NS)
        settled = Counter(held.settled)
        for time, reason, count in rows:
            settled[reason] += count if time < until else 0
        body = DeadCount(dict(total), dict(settled), until)
        self._server.write(self._state, record(b"dead%b" % self._share.label, body, 0))


def _join(known: dict[tuple[str, str], Entry], fresh: Sequence[Note[Delta]]) -> Iterator[_Suspect]:
    """Join the notes into what is known; yield what they store once more."""
    told: dict[tuple[str, str], list[Delta]] = {}
    for note in fresh:
        for delta in note.items:
            told.setdefault((delta.device, delta.spool), []).append(delta)
    for key, said in told.items():
        entry = known.get(key, Entry(*key))
        known[key] = row_ranges.joined(entry, *said)
        if row_ranges.repeats(known[key], entry, said):
            yield from _suspects(entry, said)


def _suspects(entry: Entry, said: Iterable[Delta]) -> Iterator[_Suspect]:
    for delta in said:
        rows = row_ranges.repeated(entry, delta)
        if rows:
            yield _Suspect(delta, rows, row_ranges.whereabouts(entry, delta, rows))
        entry = row_ranges.joined(entry, delta)


def _whereabouts(suspect: _Suspect) -> str:
    delta, (first, last) = suspect.delta, suspect.between
    low, high = suspect.rows[0][0], suspect.rows[-1][1]
    return (
        f"SELECT n FROM event WHERE device = {quoted(delta.device)} AND time >= {ns(first)} AND time < {ns(last + 1)} "
        f"AND spool = {quoted(delta.spool)} AND n >= {low} AND n <= {high} GROUP BY centre, device, system, type"
    )


def _moved(rows: Ranges, found: Iterable[Found[tuple[int, int]]]) -> Iterator[_Point]:
    """Yield the points whose name also lies at a smaller t."""
    points: dict[int, list[_Point]] = {}
    for series in found:
        tags = tuple(sorted(series.tags.items()))
        for time, n in series.values:
            points.setdefault(n, []).append(_Point(time, tags))
    for n, places in points.items():
        if len(places) > 1 and any(low <= n <= high for low, high in rows):
            yield from sorted(places, key=lambda p: (p.time, p.tags))[1:]


def _summary(name: str, known: dict[tuple[str, str], Entry], label: bytes) -> Iterator[bytes]:
    """Yield the points of one group's entries."""
    mine = [known[key] for key in sorted(known) if row_ranges.group(key[0]) == name]
    for part, (_, body) in enumerate(packed(piece for entry in mine for piece in row_ranges.split(entry))):
        yield b"ranges%b,site=%b,part=%d body=%b 0" % (label, tag(name), part, text(body))


def read_entries(server: Server, at: InfluxAddress, groups: Iterable[str] | None = None) -> list[Entry]:
    """Return what is known of outboxes, of some groups only or of all; one outbox may come in pieces."""
    names = "" if groups is None else " OR ".join(f"site = {quoted(name)}" for name in sorted(groups))
    mine = Share(at.province).mine
    asked = f"SELECT body FROM ranges WHERE ({names or 'time >= 0'}) AND {mine} GROUP BY site, part, province"
    (found,) = server.ask(at.state, tuple[int, str], asked)
    return [entry for s in found for row in s.values for entry in msgspec.json.decode(row[1], type=list[Entry])]


def read_dead(server: Server, at: InfluxAddress) -> DeadCount:
    """Return the dead letters' summary."""
    share = Share(at.province)
    (found,) = server.ask(at.state, tuple[int, str], f"SELECT body FROM dead WHERE {share.mine} GROUP BY province")
    bodies = [row[1] for series in share.first(found) for row in series.values]
    return msgspec.json.decode(bodies[-1], type=DeadCount) if bodies else DeadCount()


def _rfc3339(time: int) -> str:
    """Return a time in ns as text, all nine digits of the second kept."""
    whole, rest = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
