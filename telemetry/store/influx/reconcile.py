"""The work that one reader completes for many writers: row ranges, dead letters, and events stored at two times.

It is idempotent: ranges are united, dead letters are summed over times that do not overlap, and a moved event is
first recorded as a change, then deleted, then counted.  It must not run in two processes at once.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time_ns
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from telemetry.core.fold.event_spans import SERVICE_LEVEL_REACH_MS, TICKET_LOOKBACK_MS
from telemetry.store.influx import row_ranges
from telemetry.store.influx.influxql import ProvinceTag, quote_string, to_ns
from telemetry.store.influx.journal import WriterJournal
from telemetry.store.influx.line_protocol import NS_IN_MS, OutboxDelta, json_point
from telemetry.store.influx.row_range_pages import RowRangePages
from telemetry.store.influx.row_ranges import RowRangesEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.figures.completeness import ClosedRanges
    from telemetry.store.influx.address import InfluxAddress
    from telemetry.store.influx.journal import WriterRecord
    from telemetry.store.influx.row_ranges import OutboxKey
    from telemetry.store.influx.server import InfluxSeries, InfluxServer
    from telemetry.store.unreadable import UnreadableRows

NS_IN_US: Final = 1_000
OVERLAP_NS: Final = 60_000_000_000
MAX_CLOCK_AHEAD_NS: Final = 86_400_000_000_000
QUERIES_PER_REQUEST: Final = 50
ROWS_CHECKPOINT: Final = "rows_until"


class DeadLetterCounts(Struct, frozen=True):
    """Dead letters by reason: all of them, and those before `until` (ns), which are never read again."""

    total: dict[str, int] = {}
    settled: dict[str, int] = {}
    until: int = 0


@dataclass(frozen=True, slots=True)
class _Suspect:
    """Rows that were written again, and the time range in which their points are."""

    delta: OutboxDelta
    rows: ClosedRanges
    time_range: tuple[int, int]


_EventPoint = tuple[int, tuple[tuple[str, str], ...]]
"""Time, ns, and tags."""


class Reconciler:
    """Works on one store; `change_lines` returns the lines that record changes at a time in ns."""

    def __init__(
        self,
        server: InfluxServer,
        address: InfluxAddress,
        change_lines: Callable[[int, Sequence[tuple[str, int, int]]], list[bytes]],
        unreadable: UnreadableRows,
    ) -> None:
        self._server, self._address = server, address
        self._raw_bucket, self._state_bucket = address.bucket, address.state_bucket
        self._province_tag = ProvinceTag(address.province)
        self._journal = WriterJournal(server, address.bucket, "rows", OutboxDelta, unreadable)
        self._pages = RowRangePages(server, address, unreadable)
        self._is_legacy_converted = False
        self._own_until = -1  # the checkpoint rises with each merge: another value shows that another process merged
        self._unreadable = unreadable
        self._change_lines = change_lines

    def run(self) -> None:
        """Do all that is due; after StoreUnavailable the next run continues."""
        if not self._is_legacy_converted:
            self._pages.convert_legacy()
            self._is_legacy_converted = True
        where = f"label = {quote_string(ROWS_CHECKPOINT)} AND {self._province_tag.condition}"
        query = f"SELECT value::integer FROM mark WHERE {where}"
        (checkpoints,) = self._server.query(self._state_bucket, tuple[int, int], query)
        marks = [row[1] for series in checkpoints for row in series.values]
        until = max((mark for mark in marks if 0 <= mark <= _latest_ns()), default=0)
        new_records = self._journal.new_since(max(until - OVERLAP_NS, 0))
        if new_records:
            self._merge_row_ranges(new_records, until)
            self._journal.remember(new_records)
        self._sum_dead_letters()

    def _merge_row_ranges(self, new_records: Sequence[WriterRecord[OutboxDelta]], until: int) -> None:
        deltas_by_outbox: dict[OutboxKey, list[OutboxDelta]] = {}
        for writer_record in new_records:
            for delta in writer_record.items:
                deltas_by_outbox.setdefault((delta.device, delta.outbox_id), []).append(delta)
        if until != self._own_until:
            self._pages.forget()
        read = self._pages.read_around(delta for deltas in deltas_by_outbox.values() for delta in deltas)
        entries = dict(read.entries)
        suspects = list(_merge_deltas(entries, deltas_by_outbox))
        for at in range(0, len(suspects), QUERIES_PER_REQUEST):
            self._remove_repeats(suspects[at : at + QUERIES_PER_REQUEST])
        until = max(until + 1, new_records[-1].time)
        mark = b"mark,label=%b%b value=%di 0" % (ROWS_CHECKPOINT.encode(), self._province_tag.line_tag, until)
        self._pages.write(read, entries, [mark])
        self._own_until = until

    def _remove_repeats(self, suspects: Sequence[_Suspect]) -> None:
        """Retain of each event id only the point with the smallest t."""
        answers = self._server.query(self._raw_bucket, tuple[int, int], *(_points_query(s) for s in suspects))
        for suspect, answer in zip(suspects, answers, strict=True):
            for point in _moved_points(suspect.rows, answer):
                self._remove_point(point, suspect.delta.at * NS_IN_US)

    def _remove_point(self, point: _EventPoint, changed_at: int) -> None:
        time, tag_pairs = point
        tags, t = dict(tag_pairs), time // NS_IN_MS
        entity, end = tags.get("system") or tags["centre"], t + SERVICE_LEVEL_REACH_MS + 30_000
        affected = (entity, max(t - TICKET_LOOKBACK_MS, 0), end)
        self._server.write(self._raw_bucket, b"\n".join(self._change_lines(changed_at, [affected])))
        series = "".join(f' AND {key}="{value}"' for key, value in tag_pairs if value)
        timestamp = _format_rfc3339(time)
        self._server.delete(self._raw_bucket, timestamp, timestamp, f'_measurement="event"{series}')

    def _sum_dead_letters(self) -> None:
        summary = read_dead_letter_counts(self._server, self._address, self._unreadable)
        query = f"SELECT rows::integer FROM dead WHERE time >= {summary.until} GROUP BY reason, writer"
        (answer,) = self._server.query(self._raw_bucket, tuple[int, int], query)
        rows = [(time, series.tags["reason"], count) for series in answer for time, count in series.values]
        if not rows:
            return
        total = Counter(summary.settled)
        for _, reason, count in rows:
            total[reason] += count
        if total == Counter(summary.total):
            return
        until = max(summary.until, max(rows)[0] - OVERLAP_NS)
        settled = Counter(summary.settled)
        for time, reason, count in rows:
            settled[reason] += count if time < until else 0
        body = DeadLetterCounts(dict(total), dict(settled), until)
        self._server.write(self._state_bucket, json_point(b"dead%b" % self._province_tag.line_tag, body, 0))


def _merge_deltas(
    entries: dict[OutboxKey, RowRangesEntry], deltas_by_outbox: Mapping[OutboxKey, Sequence[OutboxDelta]]
) -> Iterator[_Suspect]:
    """Merge the writes into the entries; yield the rows that they store again."""
    for key, deltas in deltas_by_outbox.items():
        entry = entries.get(key, RowRangesEntry(*key))
        entries[key] = row_ranges.merge_entry(entry, *deltas)
        if row_ranges.has_repeats(entries[key], entry, deltas):
            yield from _find_suspects(entry, deltas)


def _find_suspects(entry: RowRangesEntry, deltas: Iterable[OutboxDelta]) -> Iterator[_Suspect]:
    for delta in deltas:
        rows = row_ranges.repeated_rows(entry, delta)
        if rows:
            yield _Suspect(delta, rows, row_ranges.time_range_of(entry, delta, rows))
        entry = row_ranges.merge_entry(entry, delta)


def _points_query(suspect: _Suspect) -> str:
    delta, (first, last) = suspect.delta, suspect.time_range
    low, high = suspect.rows[0][0], suspect.rows[-1][1]
    return (
        f"SELECT n::integer FROM event WHERE device = {quote_string(delta.device)} "
        f"AND time >= {to_ns(first)} AND time < {to_ns(last + 1)} AND spool = {quote_string(delta.outbox_id)} "
        f"AND n >= {low} AND n <= {high} GROUP BY centre, device, system, type"
    )


def _moved_points(rows: ClosedRanges, answer: Iterable[InfluxSeries[tuple[int, int]]]) -> Iterator[_EventPoint]:
    """Yield the points whose event id is also stored at a smaller t."""
    points: dict[int, list[_EventPoint]] = {}
    for series in answer:
        tags = tuple(sorted(series.tags.items()))
        for time, n in series.values:
            points.setdefault(n, []).append((time, tags))
    for n, candidates in points.items():
        if len(candidates) > 1 and any(low <= n <= high for low, high in rows):
            yield from sorted(candidates)[1:]


def read_dead_letter_counts(server: InfluxServer, at: InfluxAddress, unreadable: UnreadableRows) -> DeadLetterCounts:
    """Return the dead letters' summary; an unreadable one counts from zero."""
    province_tag = ProvinceTag(at.province)
    (answer,) = server.query(
        at.state_bucket,
        tuple[int, str],
        f"SELECT body::string FROM dead WHERE {province_tag.condition} GROUP BY province",
    )
    bodies = [row[1] for series in province_tag.sort_own_last(answer) for row in series.values]
    read = unreadable.read_each(bodies[-1:], _read_dead_letter_counts, lambda _: ("", "dead"))
    return next(read, DeadLetterCounts())


def _read_dead_letter_counts(body: str) -> DeadLetterCounts:
    counts = msgspec.json.decode(body, type=DeadLetterCounts)
    if not 0 <= counts.until <= _latest_ns():
        msg = f"{counts.until} is no time in ns of the past"
        raise ValueError(msg)
    return counts


def _latest_ns() -> int:
    """Return the latest time, ns, that a mark of what was read may have: InfluxDB's clock may be ahead of this one."""
    return time_ns() + MAX_CLOCK_AHEAD_NS


def _format_rfc3339(time: int) -> str:
    """Return a time in ns as text with nine decimal places."""
    seconds, nanoseconds = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"
