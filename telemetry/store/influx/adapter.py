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

from telemetry.core.figures.completeness import OutboxRowRanges
from telemetry.errors import StoreUnavailable
from telemetry.store import ChangeRecord, DeadLetter, LiveRow
from telemetry.store.influx import influxql, line_protocol, reconcile, rejected_lines, row_ranges, totals as figures
from telemetry.store.influx.buckets import ensure_buckets
from telemetry.store.influx.journal import WriterJournal, record_lines, unstamped_record_lines
from telemetry.store.influx.province_tag import ProvinceTag
from telemetry.store.influx.server import TIMEOUT_MS, BucketInfo, InfluxServer, WriteRejected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.totals import Total
    from telemetry.store import Batch, StoredEvent
    from telemetry.store.influx.address import InfluxAddress

NS_IN_US: Final = 1_000
MAX_APPEND_S: Final = 25.0
"""Changes may be told so long after their stamp; with a write's time-out this stays below rollup's overlap of 60 s."""
REFUSED_REASON: Final = "store_refused"
ChangeSpan = tuple[str, int, int]
"""Unit, start, end."""


class InfluxStore:
    """`Store` over four buckets of one organization; safe to share between threads."""

    def __init__(self, address: InfluxAddress, token: str = "", timeout_ms: int = TIMEOUT_MS) -> None:
        """Open; makes the buckets that are missing. Raises ConfigError or StoreUnavailable."""
        self._server = InfluxServer(address.url, address.org, token, timeout_ms)
        self._address, self._province_tag = address, ProvinceTag(address.province)
        self._raw_retention_ms = ensure_buckets(self._server, address)
        self._writer_id = secrets.token_hex(2).encode()
        self._sequence = count()
        self._live_lock = threading.Lock()
        self._refused_events: dict[tuple[str, str, int], StoredEvent] = {}
        self._changes: WriterJournal[ChangeSpan] = WriterJournal(self._server, address.bucket, "change", ChangeSpan)  # type: ignore[arg-type]
        self._reconciler = reconcile.Reconciler(self._server, address, self._change_lines)

    # --- writing events -----------------------------------------------------------------------

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        """Store events, then what tells of them; returns events that the server will never take."""
        began = time.monotonic()
        events, refused = self._split_refused(batch.events)
        rows, parts = line_protocol.event_lines(events)
        if line_protocol.has_repeated_ids(parts):
            events = line_protocol.earliest_of_each(events)
            rows, parts = line_protocol.event_lines(events)
        refused_at, completed = self._write_events(rows)
        refused += [events[index] for index in refused_at]
        if not completed or time.monotonic() - began > MAX_APPEND_S:
            self._refused_events |= {_event_id(s): s for s in refused}
            raise StoreUnavailable(f"InfluxDB is slow or refuses many rows ({len(refused)} so far); trying again")
        if refused_at:
            refused_ids = {_event_id(s) for s in refused}
            parts = line_protocol.event_lines(s for s in events if _event_id(s) not in refused_ids)[1]
        self._write_records(batch, parts, refused)
        for s in refused:
            self._refused_events.pop(_event_id(s), None)
        return refused

    def _split_refused(self, events: Sequence[StoredEvent]) -> tuple[Sequence[StoredEvent], list[StoredEvent]]:
        """Take out what an earlier, unfinished search found to be refused."""
        if not self._refused_events:
            return events, []
        return [s for s in events if _event_id(s) not in self._refused_events], [
            s for s in events if _event_id(s) in self._refused_events
        ]

    def _write_events(self, rows: list[bytes]) -> tuple[list[int], bool]:
        """Write the events; returns the places of those refused, and whether all others are stored."""
        if not rows:
            return [], True
        try:
            self._server.write(self._address.bucket, b"\n".join(rows))
        except WriteRejected:
            return rejected_lines.find_rejected(lambda body: self._server.write(self._address.bucket, body), rows)
        return [], True

    def _write_records(
        self, batch: Batch, parts: list[line_protocol.SeriesBatch], refused: Sequence[StoredEvent]
    ) -> None:
        at = batch.written_at * NS_IN_US
        letters = [DeadLetter(batch.written_at // 1000, s.device, REFUSED_REASON, 1) for s in refused]
        body_lines = self._change_lines(at, [(c.entity, c.start, c.end) for c in batch.changes])
        body_lines += unstamped_record_lines(
            b"rows", self._writer_id, line_protocol.outbox_deltas(parts, batch.written_at)
        )
        body_lines += self._dead_letter_lines([*batch.dead_letters, *letters])
        if body_lines:
            self._write_lines(self._address.bucket, body_lines)

    def _unique_time_ns(self, at: int) -> int:
        """Return a time within a microsecond; no two notes of this store share it."""
        return at + next(self._sequence) % NS_IN_US

    def _change_lines(self, at: int, spans: Sequence[ChangeSpan]) -> list[bytes]:
        return record_lines(b"change", self._writer_id, spans, lambda: self._unique_time_ns(at // NS_IN_US * NS_IN_US))

    def _dead_letter_lines(self, letters: Sequence[DeadLetter]) -> list[bytes]:
        """Return dead letters by reason, stamped by InfluxDB."""
        sums: dict[str, tuple[int, int]] = {}
        for letter in letters:
            rows, size = sums.get(letter.reason, (0, 0))
            sums[letter.reason] = rows + letter.rows, size + letter.size
        head = b"dead,reason=%b,writer=%b rows=%di,size=%di"
        return [
            head % (line_protocol.escape_tag(r), self._writer_id, rows, size)
            for r, (rows, size) in sorted(sums.items())
        ]

    def _write_lines(self, bucket: str, body_lines: Sequence[bytes]) -> None:
        """Write lines that must be taken."""
        try:
            self._server.write(bucket, b"\n".join(body_lines))
        except WriteRejected as error:
            raise StoreUnavailable(f"InfluxDB, {error}; check the clock and the bucket's retention") from error

    def reconcile(self) -> None:
        """Join row ranges and dead letters; leave each event only at its smallest t."""
        self._reconciler.run()

    # --- reading raw --------------------------------------------------------------------------

    def changes_since(self, since: int) -> list[ChangeRecord]:
        """Return changes with written_at ≥ since (µs), oldest first."""
        self._changes.remember(self._changes.new_since(since * NS_IN_US))
        records = self._changes.remembered_records()
        return [ChangeRecord(*span, record.time // NS_IN_US) for record in records for span in record.items]

    def events(self, entity: str, window: Window, types: Collection[str] | None = None) -> list[StoredEvent]:
        """Return the unit's events with t in the window, each name once, by t."""
        if window.start >= window.end or (types is not None and not types):
            return []
        answers = self._server.query(
            self._address.bucket, influxql.EventRow, *influxql.event_queries(entity, window, types)
        )
        return influxql.decode_events(entity, [series for answer in answers for series in answer])

    def days_with_events(self) -> dict[str, list[Window]]:
        """Return for each unit the whole UTC days in which it has events."""
        answers = self._server.query(self._address.bucket, tuple[int, int], *influxql.EVENT_DAYS_QUERIES)
        return influxql.decode_event_days(series for answer in answers for series in answer)

    def count_events(self) -> int:
        """Return how many agents' events are stored; one that lies at two times counts twice until `reconcile`."""
        (answer,) = self._server.query(self._address.bucket, tuple[int, int], "SELECT count(n) FROM event")
        return sum(row[1] for series in answer for row in series.values)

    def raw_retention_ms(self) -> int | None:
        """Return how long the raw bucket keeps, ms; what was told last while the server is away."""
        with suppress(StoreUnavailable):
            self._raw_retention_ms = (self._server.find_bucket(self._address.bucket) or BucketInfo()).retention_ms
        return self._raw_retention_ms

    # --- totals -------------------------------------------------------------------------------

    def replace_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Put these totals in place of the unit's of that width starting in the window."""
        bucket = self._address.totals_bucket(width)
        where = (
            f"unit = {influxql.quote_string(entity)} AND {self._province_tag.condition} AND "
            f"{influxql.time_condition(window)}"
        )
        query = f"SELECT body FROM total WHERE {where} GROUP BY kind, province"
        (answer,) = self._server.query(bucket, tuple[int, str], query)
        total_lines = figures.total_lines(
            entity,
            totals,
            figures.existing_bodies(self._province_tag.sort_own_last(answer)),
            self._province_tag.line_tag,
        )
        if total_lines:
            self._write_lines(bucket, total_lines)

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        """Return totals starting in the window."""
        if not entities:
            return []
        where = (
            f"{influxql.tag_condition('unit', set(entities))} AND {self._province_tag.condition} AND "
            f"{influxql.time_condition(window)}"
        )
        where += f" AND kind = {influxql.quote_string(kind)}" if kind else ""
        query = f"SELECT body FROM total WHERE {where} GROUP BY unit, kind, province"
        (answer,) = self._server.query(self._address.totals_bucket(width), tuple[int, str], query)
        by_entity = figures.decode_totals(self._province_tag.sort_own_last(answer), width)
        return [total for entity in entities for total in by_entity.get(entity, [])]

    # --- state --------------------------------------------------------------------------------

    def checkpoint(self, key: str) -> int:
        """Return a number kept under a name, 0 at first."""
        where = f"label = {influxql.quote_string(key)} AND {self._province_tag.condition}"
        query = f"SELECT value FROM mark WHERE {where} GROUP BY province"
        (answer,) = self._server.query(self._address.state_bucket, tuple[int, int], query)
        values = [row[1] for series in self._province_tag.sort_own_last(answer) for row in series.values]
        return values[-1] if values else 0

    def set_checkpoint(self, key: str, value: int) -> None:
        """Keep a number under a name."""
        self._write_lines(
            self._address.state_bucket,
            [b"mark,label=%b%b value=%di 0" % (line_protocol.escape_tag(key), self._province_tag.line_tag, value)],
        )

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded."""
        return self.checkpoint("cursor")

    def set_cursor(self, written_at: int) -> None:
        """Remember how far changes are folded."""
        self.set_checkpoint("cursor", max(written_at, self.cursor()) if written_at else 0)

    def put_live_rows(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows; their version is made known when all are written."""
        if not rows:
            return
        with self._live_lock:
            version = self.checkpoint("live") + 1
            head = b"live%b,unit=%b version=%di,body=%b 0"
            encoded = [
                (line_protocol.escape_tag(entity), version, line_protocol.quote_field(body))
                for entity, body in rows.items()
            ]
            self._write_lines(
                self._address.state_bucket, [head % (self._province_tag.line_tag, *fields) for fields in encoded]
            )
            self.set_checkpoint("live", version)

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        """Return live rows with version > after, but none of a write that is not finished."""
        finished_version = self.checkpoint("live")
        where = f"version > {after} AND {self._province_tag.condition}"
        query = f"SELECT version, body FROM live WHERE {where} GROUP BY unit, province"
        (answer,) = self._server.query(self._address.state_bucket, _LivePoint, query)
        rows = {
            s.tags["unit"]: LiveRow(s.tags["unit"], row.version, row.body.encode())
            for s in self._province_tag.sort_own_last(answer)
            for row in s.values
            if row.version is not None and row.version <= finished_version and row.body is not None
        }
        return sorted(rows.values(), key=lambda row: (row.version, row.entity))

    def row_ranges(self, device: str | None = None) -> list[OutboxRowRanges]:
        """Return what became of each outbox's rows, as of the last `reconcile`."""
        groups = None if device is None else [row_ranges.group_of(device)]
        entries = row_ranges.merge_entries(reconcile.read_entries(self._server, self._address, groups))
        selected = [entries[key] for key in sorted(entries) if device in {None, key[0]}]
        return [OutboxRowRanges(e.device, e.outbox_id, e.stored, e.refused, e.dropped) for e in selected]

    def dead_letter_counts(self) -> dict[str, int]:
        """Return how many rows were refused or put off, by reason, as of the last `reconcile`."""
        return dict(sorted(reconcile.read_dead_letter_counts(self._server, self._address).total.items()))

    def close(self) -> None:
        """Close all connections."""
        self._server.close()


class _LivePoint(Struct, frozen=True, array_like=True):
    """A live row; None where a write is not finished."""

    time: int
    version: int | None
    body: str | None


def _event_id(s: StoredEvent) -> tuple[str, str, int]:
    return s.device, s.outbox_id, s.event.n
