"""The store's port over InfluxDB 2: `InfluxStore`. It must not compute anything but sums of rows.

Events are written first and what tells of them (changes, row ranges, dead letters) second: InfluxDB makes the
parts of one write visible one by one, and a reader who saw a change before its events would fold it without them.
Nothing is acknowledged before both are stored.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from telemetry.core.figures.completeness import RowRanges
from telemetry.errors import StoreUnavailable
from telemetry.store import Change, DeadLetter, Live
from telemetry.store.influx import influxql, line_protocol, reconcile, rejected_lines, row_ranges, totals as figures
from telemetry.store.influx.buckets import prepare
from telemetry.store.influx.journal import Journal, notes, notes_now
from telemetry.store.influx.province_tag import Share
from telemetry.store.influx.server import TIMEOUT_MS, Bucket, Refused, Server

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from telemetry.core.calendar.windows import Width, Window
    from telemetry.core.fold.totals import Total
    from telemetry.store import Batch, Stored
    from telemetry.store.influx.address import InfluxAddress

NS_IN_US: Final = 1_000
LATE_S: Final = 25.0
"""Changes may be told so long after their stamp; with a write's time-out this stays below rollup's overlap of 60 s."""
REFUSED: Final = "store_refused"
Cell = tuple[str, int, int]
"""Unit, start, end."""


class InfluxStore:
    """`Store` over four buckets of one organization; safe to share between threads."""

    def __init__(self, address: InfluxAddress, token: str = "", timeout_ms: int = TIMEOUT_MS) -> None:
        """Open; makes the buckets that are missing. Raises ConfigError or StoreUnavailable."""
        self._server = Server(address.url, address.org, token, timeout_ms)
        self._at, self._share = address, Share(address.province)
        self._keep_ms = prepare(self._server, address)
        self._writer = secrets.token_hex(2).encode()
        self._numbers = count()
        self._live_lock = threading.Lock()
        self._bad: dict[tuple[str, str, int], Stored] = {}
        self._changes: Journal[Cell] = Journal(self._server, address.bucket, "change", Cell)  # type: ignore[arg-type]
        self._reconciler = reconcile.Reconciler(self._server, address, self._change_lines)

    # --- writing events -----------------------------------------------------------------------

    def append(self, batch: Batch) -> Sequence[Stored]:
        """Store events, then what tells of them; returns events that the server will never take."""
        began = time.monotonic()
        events, refused = self._without_bad(batch.events)
        rows, parts = line_protocol.event_lines(events)
        if line_protocol.repeats(parts):
            events = line_protocol.first_of_each(events)
            rows, parts = line_protocol.event_lines(events)
        found, ended = self._put(rows)
        refused += [events[place] for place in found]
        if not ended or time.monotonic() - began > LATE_S:
            self._bad |= {_name(s): s for s in refused}
            raise StoreUnavailable(f"InfluxDB is slow or refuses many rows ({len(refused)} so far); trying again")
        if found:
            gone = {_name(s) for s in refused}
            parts = line_protocol.event_lines(s for s in events if _name(s) not in gone)[1]
        self._tell(batch, parts, refused)
        for s in refused:
            self._bad.pop(_name(s), None)
        return refused

    def _without_bad(self, events: Sequence[Stored]) -> tuple[Sequence[Stored], list[Stored]]:
        """Take out what an earlier, unfinished search found to be refused."""
        if not self._bad:
            return events, []
        return [s for s in events if _name(s) not in self._bad], [s for s in events if _name(s) in self._bad]

    def _put(self, rows: list[bytes]) -> tuple[list[int], bool]:
        """Write the events; returns the places of those refused, and whether all others are stored."""
        if not rows:
            return [], True
        try:
            self._server.write(self._at.bucket, b"\n".join(rows))
        except Refused:
            return rejected_lines.search(lambda body: self._server.write(self._at.bucket, body), rows)
        return [], True

    def _tell(self, batch: Batch, parts: list[line_protocol.Part], refused: Sequence[Stored]) -> None:
        at = batch.written_at * NS_IN_US
        letters = [DeadLetter(batch.written_at // 1000, s.device, REFUSED, 1) for s in refused]
        told = self._change_lines(at, [(c.unit, c.start, c.end) for c in batch.changes])
        told += notes_now(b"rows", self._writer, line_protocol.deltas(parts, batch.written_at))
        told += self._dead_lines([*batch.dead, *letters])
        if told:
            self._write(self._at.bucket, told)

    def _tick(self, at: int) -> int:
        """Return a time within a microsecond; no two notes of this store share it."""
        return at + next(self._numbers) % NS_IN_US

    def _change_lines(self, at: int, cells: Sequence[Cell]) -> list[bytes]:
        return notes(b"change", self._writer, cells, lambda: self._tick(at // NS_IN_US * NS_IN_US))

    def _dead_lines(self, dead: Sequence[DeadLetter]) -> list[bytes]:
        """Return dead letters by reason, stamped by InfluxDB."""
        sums: dict[str, tuple[int, int]] = {}
        for letter in dead:
            rows, size = sums.get(letter.reason, (0, 0))
            sums[letter.reason] = rows + letter.rows, size + letter.size
        head = b"dead,reason=%b,writer=%b rows=%di,size=%di"
        return [head % (line_protocol.tag(r), self._writer, rows, size) for r, (rows, size) in sorted(sums.items())]

    def _write(self, bucket: str, told: Sequence[bytes]) -> None:
        """Write lines that must be taken."""
        try:
            self._server.write(bucket, b"\n".join(told))
        except Refused as error:
            raise StoreUnavailable(f"InfluxDB, {error}; check the clock and the bucket's retention") from error

    def reconcile(self) -> None:
        """Join row ranges and dead letters; leave each event only at its smallest t."""
        self._reconciler.run()

    # --- reading raw --------------------------------------------------------------------------

    def changes(self, since: int) -> list[Change]:
        """Return changes with written_at ≥ since (µs), oldest first."""
        self._changes.keep(self._changes.fresh(since * NS_IN_US))
        notes_ = self._changes.kept()
        return [Change(*cell, note.time // NS_IN_US) for note in notes_ for cell in note.items]

    def events(self, unit: str, window: Window, types: Collection[str] | None = None) -> list[Stored]:
        """Return the unit's events with t in the window, each name once, by t."""
        if window.start >= window.end or (types is not None and not types):
            return []
        found = self._server.ask(self._at.bucket, influxql.EventRow, *influxql.events(unit, window, types))
        return influxql.stored(unit, [series for part in found for series in part])

    def extent(self) -> dict[str, list[Window]]:
        """Return for each unit the whole UTC days in which it has events."""
        found = self._server.ask(self._at.bucket, tuple[int, int], *influxql.EXTENT)
        return influxql.extents(series for part in found for series in part)

    def count(self) -> int:
        """Return how many agents' events are stored; one that lies at two times counts twice until `reconcile`."""
        (found,) = self._server.ask(self._at.bucket, tuple[int, int], "SELECT count(n) FROM event")
        return sum(row[1] for series in found for row in series.values)

    def retention(self) -> int | None:
        """Return how long the raw bucket keeps, ms; what was told last while the server is away."""
        with suppress(StoreUnavailable):
            self._keep_ms = (self._server.bucket(self._at.bucket) or Bucket()).keep_ms
        return self._keep_ms

    # --- totals -------------------------------------------------------------------------------

    def replace_totals(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Put these totals in place of the unit's of that width starting in the window."""
        bucket = self._at.totals(width)
        where = f"unit = {influxql.quoted(unit)} AND {self._share.mine} AND {influxql.within(window)}"
        asked = f"SELECT body FROM total WHERE {where} GROUP BY kind, province"
        (found,) = self._server.ask(bucket, tuple[int, str], asked)
        told = figures.lines(unit, totals, figures.held(self._share.first(found)), self._share.label)
        if told:
            self._write(bucket, told)

    def totals(self, units: Sequence[str], width: Width, window: Window, kind: str = "") -> list[Total]:
        """Return totals starting in the window."""
        if not units:
            return []
        where = f"{influxql.any_of('unit', set(units))} AND {self._share.mine} AND {influxql.within(window)}"
        where += f" AND kind = {influxql.quoted(kind)}" if kind else ""
        asked = f"SELECT body FROM total WHERE {where} GROUP BY unit, kind, province"
        (found,) = self._server.ask(self._at.totals(width), tuple[int, str], asked)
        by_unit = figures.totals(self._share.first(found), width)
        return [total for unit in units for total in by_unit.get(unit, [])]

    # --- state --------------------------------------------------------------------------------

    def mark(self, key: str) -> int:
        """Return a number kept under a name, 0 at first."""
        asked = f"SELECT value FROM mark WHERE label = {influxql.quoted(key)} AND {self._share.mine} GROUP BY province"
        (found,) = self._server.ask(self._at.state, tuple[int, int], asked)
        values = [row[1] for series in self._share.first(found) for row in series.values]
        return values[-1] if values else 0

    def set_mark(self, key: str, value: int) -> None:
        """Keep a number under a name."""
        self._write(
            self._at.state, [b"mark,label=%b%b value=%di 0" % (line_protocol.tag(key), self._share.label, value)]
        )

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded."""
        return self.mark("cursor")

    def set_cursor(self, written_at: int) -> None:
        """Remember how far changes are folded."""
        self.set_mark("cursor", max(written_at, self.cursor()) if written_at else 0)

    def put_live(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows; their version is made known when all are written."""
        if not rows:
            return
        with self._live_lock:
            version = self.mark("live") + 1
            head = b"live%b,unit=%b version=%di,body=%b 0"
            told = [(line_protocol.tag(unit), version, line_protocol.text(body)) for unit, body in rows.items()]
            self._write(self._at.state, [head % (self._share.label, *one) for one in told])
            self.set_mark("live", version)

    def live(self, after: int = 0) -> list[Live]:
        """Return live rows with version > after, but none of a write that is not finished."""
        known = self.mark("live")
        asked = f"SELECT version, body FROM live WHERE version > {after} AND {self._share.mine} GROUP BY unit, province"
        (found,) = self._server.ask(self._at.state, _LiveRow, asked)
        rows = {
            s.tags["unit"]: Live(s.tags["unit"], row.version, row.body.encode())
            for s in self._share.first(found)
            for row in s.values
            if row.version is not None and row.version <= known and row.body is not None
        }
        return sorted(rows.values(), key=lambda row: (row.version, row.unit))

    def row_ranges(self, device: str | None = None) -> list[RowRanges]:
        """Return what became of each outbox's rows, as of the last `reconcile`."""
        groups = None if device is None else [row_ranges.group(device)]
        known = row_ranges.gathered(reconcile.read_entries(self._server, self._at, groups))
        wanted = [known[key] for key in sorted(known) if device in {None, key[0]}]
        return [RowRanges(e.device, e.spool, e.stored, e.refused, e.dropped) for e in wanted]

    def dead_letters(self) -> dict[str, int]:
        """Return how many rows were refused or put off, by reason, as of the last `reconcile`."""
        return dict(sorted(reconcile.read_dead(self._server, self._at).total.items()))

    def close(self) -> None:
        """Close all connections."""
        self._server.close()


class _LiveRow(Struct, frozen=True, array_like=True):
    """A live row; None where a write is not finished."""

    time: int
    version: int | None
    body: str | None


def _name(s: Stored) -> tuple[str, str, int]:
    return s.device, s.spool, s.event.n
