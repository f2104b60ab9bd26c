"""The store's port over InfluxDB 2: `InfluxStore`. It must not compute anything but sums of rows.

Events are written first and their records (changes, row ranges, dead letters) second: InfluxDB makes the parts of one
write visible one by one, and a reader that read a change before its events would fold it without them.
Nothing is acknowledged before both are stored.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import structlog
from msgspec import Struct

from telemetry.core.figures.completeness import OutboxRowRanges
from telemetry.errors import ConfigError, Fault, StoreUnavailable
from telemetry.store import MAX_VERSION, MISSING_STORE_REMEDY, ChangeRecord, DeadLetter, LiveRow
from telemetry.store.influx import influxql, line_protocol, reconcile, totals as total_points
from telemetry.store.influx.charts import ChartWriter
from telemetry.store.influx.documents import DocumentPart, document_lines, join_document
from telemetry.store.influx.influxql import ProvinceTag, quote_string
from telemetry.store.influx.journal import WriterJournal, record_lines, unstamped_record_lines
from telemetry.store.influx.line_protocol import escape_tag, quote_field
from telemetry.store.influx.row_range_pages import RowRangePages
from telemetry.store.influx.server import TIMEOUT_MS, AccessDenied, BucketInfo, InfluxServer, WriteRejected
from telemetry.store.unreadable import UnreadableRows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.figures.chart_points import EntityChart
    from telemetry.core.fold.totals import Total
    from telemetry.store import Batch, StoredEvent
    from telemetry.store.influx.address import InfluxAddress
    from telemetry.store.influx.server import InfluxSeries

_log = structlog.get_logger()
NS_IN_US: Final = 1_000
MAX_APPEND_S: Final = 25.0
"""Longest time from a batch's stamp to its changes; with a write's time-out it stays below rollup's overlap of 60 s."""
REFUSED_REASON: Final = "store_refused"
ChangeSpan = tuple[str, int, int]
"""Entity, start, end."""


class InfluxStore:
    """`Store` over four buckets of one organization; safe to share between threads."""

    def __init__(
        self, address: InfluxAddress, token: str = "", timeout_ms: int = TIMEOUT_MS, *, create: bool = True
    ) -> None:
        """Open; creates the buckets that are missing, or refuses them. Raises ConfigError or StoreUnavailable."""
        self._server = InfluxServer(address.url, address.org, token, timeout_ms, ca=address.ca)
        self._address, self._province_tag = address, ProvinceTag(address.province)
        self._raw_retention_ms = ensure_buckets(self._server, address, create=create)
        self._writer_id = secrets.token_hex(2).encode()
        self._sequence = count()
        self._live_lock = threading.Lock()
        self._last_version: int | None = None
        self._refused_events: dict[tuple[str, str, int], StoredEvent] = {}
        self.unreadable = UnreadableRows()
        span: type[Any] = ChangeSpan  # type: ignore[assignment]
        self._changes: WriterJournal[ChangeSpan] = WriterJournal(
            self._server, address.bucket, "change", span, self.unreadable
        )
        self._charts = ChartWriter(self._server)
        self._row_range_pages = RowRangePages(self._server, address, self.unreadable)
        self._reconciler = reconcile.Reconciler(self._server, address, self._change_lines, self.unreadable)

    # --- writing events -----------------------------------------------------------------------

    def append(self, batch: Batch) -> Sequence[StoredEvent]:
        """Store events, then their records; returns the events that the server will never accept."""
        began = time.monotonic()
        events, refused = self._split_refused(batch.events)
        rows, parts = line_protocol.event_lines(events)
        if line_protocol.has_repeated_ids(parts):
            events = line_protocol.earliest_of_each(events)
            rows, parts = line_protocol.event_lines(events)
        refused_at, completed = self._server.write_accepted(self._address.bucket, rows)
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
        """Separate the events that an earlier, incomplete search identified as refused."""
        if not self._refused_events:
            return events, []
        refused = [s for s in events if _event_id(s) in self._refused_events]
        return [s for s in events if _event_id(s) not in self._refused_events], refused

    def _write_records(
        self, batch: Batch, parts: list[line_protocol.SeriesBatch], refused: Sequence[StoredEvent]
    ) -> None:
        at = batch.written_at * NS_IN_US
        letters = [DeadLetter(batch.written_at // 1000, s.device, REFUSED_REASON, 1) for s in refused]
        body_lines = self._change_lines(at, [(c.entity, c.start, c.end) for c in batch.changes])
        deltas = line_protocol.outbox_deltas(parts, batch.written_at)
        body_lines += unstamped_record_lines(b"rows", self._writer_id, deltas)
        body_lines += self._dead_letter_lines([*batch.dead_letters, *letters])
        if body_lines:
            self._write_lines(self._address.bucket, body_lines)

    def _unique_time_ns(self, at: int) -> int:
        """Return a time within a microsecond; no two records of this store share it."""
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
        return [head % (escape_tag(r), self._writer_id, rows, size) for r, (rows, size) in sorted(sums.items())]

    def _write_lines(self, bucket: str, body_lines: Sequence[bytes]) -> None:
        """Write lines of which none may be rejected."""
        try:
            self._server.write(bucket, b"\n".join(body_lines))
        except WriteRejected as error:
            raise StoreUnavailable(f"InfluxDB, {error}; check the clock and the bucket's retention") from error

    def _write_each(self, bucket: str, lines: Sequence[bytes], names: Sequence[tuple[str, str]]) -> None:
        """Write lines; those that the server will never accept are counted by their (entity, name), the others stored.

        Totals older than their bucket's retention are gone as declared: that is no fault of their entity.
        """
        try:
            self._server.write(bucket, b"\n".join(lines))
            return
        except WriteRejected as error:
            if error.is_expired:
                _log.warning("totals_expired", bucket=bucket, unit=names[0][0], reason="older than the retention")
                return
        rejected, completed = self._server.write_accepted(bucket, lines)
        for index, reason in rejected.items():
            self.unreadable.record_refused(*names[index], reason)
        if not completed:
            self.unreadable.record_refused(names[-1][0], f"more rows of {bucket}", "too many rows are refused")

    def reconcile(self) -> None:
        """Merge row ranges and dead letters; retain each event only at its smallest t.

        What it cannot work on is counted and tried again at the next call: totals do not depend on it.
        """
        try:
            self._reconciler.run()
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever stored bytes raise
            self.unreadable.record("", "row numbers and dead letters", error)

    # --- reading raw --------------------------------------------------------------------------

    def changes_since(self, since: int) -> list[ChangeRecord]:
        """Return changes with written_at ≥ since (µs), oldest first."""
        self._changes.remember(self._changes.new_since(since * NS_IN_US))
        records = self._changes.remembered_records()
        return [ChangeRecord(*span, record.time // NS_IN_US) for record in records for span in record.items]

    def events(self, entity: str, window: Window, types: Collection[str] | None = None) -> list[StoredEvent]:
        """Return the entity's events with t in the window, each id once, by t."""
        if window.start >= window.end or (types is not None and not types):
            return []
        queries = influxql.event_queries(entity, window, types)
        answer = self._query_events(*queries)
        if influxql.has_incomplete_rows(answer):  # one that is being written is complete at the second reading
            answer = self._query_events(*queries)
        return influxql.decode_events(entity, answer, self.unreadable)

    def _query_events(self, *queries: str) -> list[InfluxSeries[influxql.EventRow]]:
        answers = self._server.query(self._address.bucket, influxql.EventRow, *queries) if queries else ()
        return [series for answer in answers for series in answer]

    def newest_births(self, entity: str, before: Mapping[str, int]) -> list[StoredEvent]:
        """Return each device's last stored birth before a time."""
        limit = influxql.MAX_BIRTHS
        answer = self._query_events(
            *(influxql.last_births_query(entity, device, t, limit) for device, t in before.items())
        )
        if crowded := influxql.devices_with_repeats_only(answer, limit):
            others = [series for series in answer if series.tags["device"] not in crowded]
            queries = (influxql.last_births_query(entity, device, before[device], None) for device in crowded)
            answer = [*others, *self._query_events(*queries)]
        births = influxql.decode_events(entity, answer, self.unreadable)
        return list({s.device: s for s in births}.values())

    def days_with_events(self) -> dict[str, list[Window]]:
        """Return for each entity the whole UTC days in which it has events."""
        answers = self._server.query(self._address.bucket, tuple[int, int], *influxql.EVENT_DAYS_QUERIES)
        return influxql.decode_event_days(series for answer in answers for series in answer)

    def count_events(self) -> int:
        """Return how many agents' events are stored; one stored at two times counts twice until `reconcile`."""
        (answer,) = self._server.query(self._address.bucket, tuple[int, int], "SELECT count(n) FROM event")
        return sum(row[1] for series in answer for row in series.values)

    def raw_retention_ms(self) -> int | None:
        """Return the raw bucket's retention, ms; the last known one while the server does not answer."""
        with suppress(StoreUnavailable):
            self._raw_retention_ms = (self._server.find_bucket(self._address.bucket) or BucketInfo()).retention_ms
        return self._raw_retention_ms

    # --- totals -------------------------------------------------------------------------------

    has_chart_points = True

    def replace_totals(
        self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total],
        chart: EntityChart | None = None,
    ) -> None:  # fmt: skip
        """Replace the entity's totals of that width that start in the window, and its chart points if given."""
        bucket = self._address.totals_bucket(width)
        where = f"unit = {quote_string(entity)} AND {self._own_condition(window)}"
        query = f"SELECT body::string FROM total WHERE {where} GROUP BY kind, province"
        (answer,) = self._server.query(bucket, tuple[int, str], query)
        existing = total_points.existing_bodies(self._province_tag.sort_own_last(answer))
        lines = total_points.total_lines(entity, totals, existing, self._province_tag.line_tag)
        named = {f"total {width} {start} {kind}": line for (kind, start), line in lines.items()}
        if chart is not None:
            named |= self._charts.changed_lines(bucket, chart, width, window)
        if named:
            self._write_each(bucket, list(named.values()), [(entity, name) for name in named])
        if chart is not None:
            self._charts.remember(bucket, chart, width, window)

    def replace_chart(self, width: BucketWidth, window: Window, chart: EntityChart) -> None:
        """Replace an entity's chart points in the window, and no total."""
        bucket = self._address.totals_bucket(width)
        lines = self._charts.changed_lines(bucket, chart, width, window)
        if lines:
            self._write_each(bucket, list(lines.values()), [(chart.entity, name) for name in lines])
        self._charts.remember(bucket, chart, width, window)

    def _own_condition(self, window: Window) -> str:
        return f"{self._province_tag.condition} AND {influxql.time_condition(window)}"

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        """Return totals that start in the window."""
        if not entities:
            return []
        where = f"{influxql.tag_condition('unit', set(entities))} AND {self._own_condition(window)}"
        where += f" AND kind = {quote_string(kind)}" if kind else ""
        query = f"SELECT body::string FROM total WHERE {where} GROUP BY unit, kind, province"
        (answer,) = self._server.query(self._address.totals_bucket(width), tuple[int, str], query)
        by_entity = total_points.decode_totals(self._province_tag.sort_own_last(answer), width, self.unreadable)
        return [total for entity in entities for total in by_entity.get(entity, [])]

    # --- state --------------------------------------------------------------------------------

    def checkpoint(self, key: str) -> int:
        """Return the number stored under a name, 0 at first."""
        where = f"label = {quote_string(key)} AND {self._province_tag.condition}"
        query = f"SELECT value::integer FROM mark WHERE {where} GROUP BY province"
        (answer,) = self._server.query(self._address.state_bucket, tuple[int, int], query)
        values = [row[1] for series in self._province_tag.sort_own_last(answer) for row in series.values]
        return values[-1] if values else 0

    def set_checkpoint(self, key: str, value: int) -> None:
        """Store a number under a name."""
        line = b"mark,label=%b%b value=%di 0" % (escape_tag(key), self._province_tag.line_tag, value)
        self._write_lines(self._address.state_bucket, [line])

    def cursor(self) -> int:
        """Return the time (µs) up to which changes are folded."""
        return self.checkpoint("cursor")

    def set_cursor(self, written_at: int) -> None:
        """Store how far changes are folded."""
        self.set_checkpoint("cursor", max(written_at, self.cursor()) if written_at else 0)

    def put_live_rows(self, rows: Mapping[str, bytes]) -> None:
        """Replace live rows; their version becomes visible when all are written."""
        if not rows:
            return
        with self._live_lock:
            version = self._next_version()
            tag, head = self._province_tag.line_tag, b"live%b,unit=%b version=%di,body=%b 0"
            lines = [head % (tag, escape_tag(entity), version, quote_field(body)) for entity, body in rows.items()]
            self._write_each(self._address.state_bucket, lines, [(entity, f"live {entity}") for entity in rows])
            self.set_checkpoint("live", version)
            self._last_version = version

    def _next_version(self) -> int:
        """Return a version above that of every row and of every write, whatever the checkpoint holds."""
        if self._last_version is None:
            query = f"SELECT max(version) FROM live WHERE version < {MAX_VERSION} AND {self._province_tag.condition}"
            (answer,) = self._server.query(self._address.state_bucket, tuple[int, int], query)
            self._last_version = max((row[1] for series in answer for row in series.values), default=0)
        finished = self.checkpoint("live")
        if not 0 <= finished < MAX_VERSION:
            self.unreadable.record("", "mark live", ValueError("no version"))
            finished = 0
        return max(finished, self._last_version) + 1

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        """Return live rows with version > after, but none of an incomplete write."""
        finished_version = self.checkpoint("live")
        where = f"version > {after} AND {self._province_tag.condition}"
        query = f"SELECT version::integer, body::string FROM live WHERE {where} GROUP BY unit, province"
        (answer,) = self._server.query(self._address.state_bucket, _LivePoint, query)
        rows = {
            s.tags["unit"]: LiveRow(s.tags["unit"], row.version, row.body.encode())
            for s in self._province_tag.sort_own_last(answer)
            for row in s.values
            if row.version is not None and row.body is not None and row.version <= min(finished_version, MAX_VERSION)
        }
        return sorted(rows.values(), key=lambda row: (row.version, row.entity))

    def put_document(self, name: str, body: bytes) -> None:
        """Replace a named document."""
        lines = document_lines(name, body, self._province_tag.line_tag)
        self._write_lines(self._address.state_bucket, lines)

    def document(self, name: str) -> bytes | None:
        """Return a named document as it was put; None when its write was not complete."""
        where = f"label = {quote_string(name)} AND {self._province_tag.condition}"
        query = (
            f"SELECT digest::string, parts::integer, body::string FROM document WHERE {where} GROUP BY part, province"
        )
        (answer,) = self._server.query(self._address.state_bucket, DocumentPart, query)
        series = self._province_tag.sort_own_last(answer)
        return join_document((s.tags.get("part", ""), row) for s in series for row in s.values)

    def row_ranges(self, device: str | None = None) -> list[OutboxRowRanges]:
        """Return each outbox's stored, refused and dropped rows, as of the last `reconcile`."""
        entries = self._row_range_pages.all_entries(device)
        return [
            OutboxRowRanges(e.device, e.outbox_id, e.stored, e.refused, e.dropped) for _, e in sorted(entries.items())
        ]

    def dead_letter_counts(self) -> dict[str, int]:
        """Return how many rows were rejected or deferred, by reason, as of the last `reconcile`."""
        return dict(
            sorted(reconcile.read_dead_letter_counts(self._server, self._address, self.unreadable).total.items())
        )

    def close(self) -> None:
        """Close all connections."""
        self._server.close()


class _LivePoint(Struct, frozen=True, array_like=True):
    """A live row; None where a write is not complete."""

    time: int
    version: int | None
    body: str | None


def _event_id(s: StoredEvent) -> tuple[str, str, int]:
    return s.device, s.outbox_id, s.event.n


def ensure_buckets(server: InfluxServer, address: InfluxAddress, *, create: bool = True) -> int | None:
    """Create the buckets that are missing, change none that exists; returns the raw one's retention, ms, None for ever.

    With `create=False` a missing bucket is a ConfigError.

    Raises:
        ConfigError: wrong organization or token; the token may not create a missing bucket; the state's bucket has a
            limited retention.
        StoreUnavailable: the server does not answer.

    """
    try:
        buckets = {name: server.find_bucket(name) for name in address.buckets}
    except AccessDenied as error:
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", str(error), "then start again")]) from None
    missing = [name for name, bucket in buckets.items() if bucket is None]
    if missing and not create:
        problems = [f"bucket {name} of organization {address.org} is missing" for name in missing]
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", text, MISSING_STORE_REMEDY) for text in problems])
    if missing:
        org_ids = [bucket.org_id for bucket in buckets.values() if bucket and bucket.org_id]
        _create_missing(server, address, missing, org_ids[0] if org_ids else server.find_org_id())
    state_bucket = buckets[address.state_bucket] or BucketInfo()
    if state_bucket.retention_ms is not None:
        days = state_bucket.retention_ms // 86_400_000
        problem = f"bucket {address.state_bucket} keeps {days} days, but live rows and checkpoints are stored there"
        raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", problem, "set its retention to infinite")])
    return (buckets[address.bucket] or BucketInfo()).retention_ms


def _create_missing(server: InfluxServer, address: InfluxAddress, missing: list[str], org_id: str) -> None:
    faults = []
    for name in missing:
        try:
            server.create_bucket(name, org_id)
        except AccessDenied:
            problem = f"bucket {name} of organization {address.org} is missing and the token may not create it"
            remedy = (
                f"create it (influx bucket create --org {address.org} --name {name}), or use a token that may create it"
            )
            faults.append(Fault("settings", 0, "MOTCUA_STORE", problem, remedy))
    if faults:
        raise ConfigError(faults)
