"""Queue load now and in the past, per centre and service; it must not read raw events."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import SLOT, Window, floor
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.figures.queue_periods import QueueHistoryRow
from telemetry.core.fold.totals import (
    FORMER_QUEUE_FIELDS,
    QUEUE_FIELDS,
    SEGMENT_FIELDS,
    SERVICE_LEVEL_FIELDS,
    SERVICE_LEVEL_THRESHOLDS_S,
    add_to_sums,
)
from telemetry.core.inventory import UNDECLARED_SERVICE
from telemetry.core.scope import Scope
from telemetry.queries.buckets import BucketQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.fold.live_row_types import ServiceNow
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Centre
    from telemetry.queries.rows_in_order import RowsInOrder
    from telemetry.queries.totals_cache import TotalsReader
    from telemetry.queries.views import CentreView

QueueKey = tuple[str, str, int]
CENTRES_PER_READ = 50
"""Centres that are read together: the totals of all at once would fill the memory."""
FIRST_CENTRES_READ = 10
"""Centres that a page of rows reads at first; as many again, twice as many, … when it needs more."""
_RARE_FIELDS = frozenset((*SEGMENT_FIELDS, *FORMER_QUEUE_FIELDS))
"""The fields that few totals have: they are added one by one."""
_ZERO_SUMS = (0,) * len(QUEUE_FIELDS)
MAX_DECISION_DELAY_MS = SERVICE_LEVEL_THRESHOLDS_S[-1] * 1000 + SLOT
"""Every ticket that has entered is decided within this time after the last slot boundary."""


@dataclass(frozen=True, slots=True)
class CurrentQueue:
    """One service's queue at one centre, now."""

    view: CentreView
    service: ServiceNow

    @property
    def today(self) -> QueueFigures:
        """Return today's figures."""
        return queue_figures(self.service.today_sums)


@dataclass(frozen=True, slots=True)
class QueueHistory:
    """Rows by centre, service and time, over a window of whole slots; `coverage` is the known share of open time."""

    window: Window
    zone: ZoneInfo
    rows: RowsInOrder[QueueHistoryRow]
    coverage: float | None

    @property
    def has_tickets(self) -> bool:
        """Return whether tickets were issued or called; those of the evening before may end after midnight."""
        return any(row.sums.get(name) for row in self.rows for name in ("issued", "called"))


def current_queues(views: Iterable[CentreView], service: str | None = None) -> list[CurrentQueue]:
    """Return the queues by centre and service: all undeclared ones of a centre as one, or the one of `service`."""
    if service is None:
        return [CurrentQueue(view, queue) for view in views for queue in view.services]
    shown = ((v, v.services if service == UNDECLARED_SERVICE else v.reported_services) for v in views)
    return [CurrentQueue(view, queue) for view, queues in shown for queue in queues if queue.service == service]


def growing_chunks(centres: Sequence[Centre]) -> Iterator[Sequence[Centre]]:
    """Yield the centres in order, a few at first and at most CENTRES_PER_READ at once."""
    start, size = 0, FIRST_CENTRES_READ
    while start < len(centres):
        yield centres[start : start + size]
        start, size = start + size, min(2 * size, CENTRES_PER_READ)


def queue_history_rows(
    store: TotalsReader, centres: Sequence[Centre], query: BucketQuery, service: str | None, now: int
) -> tuple[QueueHistoryRow, ...]:
    """Add desk totals into buckets of each centre's own days; buckets without data have no row.

    The undeclared services of a centre are one row; `service` may name one of them.

    Service levels leave out tickets that are decided after the last slot boundary: they may still be called.
    """
    rows: list[QueueHistoryRow] = []
    for zone in sorted({c.zone for c in centres}, key=str):
        in_zone = [c for c in centres if c.zone == zone]
        rows.extend(_history_rows(store, in_zone, BucketQuery(query.window, query.bucket, zone), service, now))
    return tuple(sorted(rows, key=lambda r: (r.centre, r.service, r.window.start)))


def _history_rows(
    store: TotalsReader, centres: Sequence[Centre], query: BucketQuery, service: str | None, now: int
) -> Iterator[QueueHistoryRow]:
    buckets = query.buckets()
    starts = [b.start for b in buckets]
    for chunk in (centres[i : i + CENTRES_PER_READ] for i in range(0, len(centres), CENTRES_PER_READ)):
        by_queue = _sums_by_queue(store, [c.id for c in chunk], query, starts, now)
        if service in (None, UNDECLARED_SERVICE):
            by_queue = _add_undeclared(by_queue, {c.id: c for c in chunk})
        for (centre, name, bucket_index), sums in by_queue.items():
            if any(sums.values()) and service in (None, name):
                yield QueueHistoryRow(centre, name, buckets[bucket_index], query.zone, sums)


def _add_undeclared(
    by_queue: Mapping[QueueKey, dict[str, int]], centres: Mapping[str, Centre]
) -> dict[QueueKey, dict[str, int]]:
    """Return the sums with the undeclared services of each centre and bucket as one."""
    shown: dict[QueueKey, dict[str, int]] = {}
    for (centre, name, bucket_index), sums in by_queue.items():
        key = (centre, centres[centre].shown_service(name), bucket_index)
        if key in shown:
            add_to_sums(shown[key], sums)
        else:
            shown[key] = sums
    return shown


def _sums_by_queue(
    store: TotalsReader, centres: Sequence[str], query: BucketQuery, starts: list[int], now: int
) -> dict[QueueKey, dict[str, int]]:
    values: dict[QueueKey, list[tuple[int, ...]]] = defaultdict(list)
    rare: dict[QueueKey, dict[str, int]] = defaultdict(dict)
    for width, window in query.runs_to_read():
        for total in store.totals(centres, width, window, "desk"):
            key = _queue_key(total, starts)
            values[key].append(tuple(map(total.sums.get, QUEUE_FIELDS, _ZERO_SUMS)))
            if names := _RARE_FIELDS & total.sums.keys():
                add_to_sums(rare[key], {name: total.sums[name] for name in names})
    sums = {key: {**_sum_columns(rows), **rare.get(key, {})} for key, rows in values.items()}
    for total in _undecided_totals(store, centres, query.window, now):
        row = sums[_queue_key(total, starts)]
        row.update((name, row[name] - total.sums.get(name, 0)) for name in SERVICE_LEVEL_FIELDS)
    return sums


def _sum_columns(rows: list[tuple[int, ...]]) -> dict[str, int]:
    flat = list(chain.from_iterable(rows))
    return {name: sum(flat[i :: len(QUEUE_FIELDS)]) for i, name in enumerate(QUEUE_FIELDS)}


def _undecided_totals(store: TotalsReader, centres: Sequence[str], window: Window, now: int) -> Sequence[Total]:
    """Return the 5-minute totals of the window with decisions in the future; hours and days include them too."""
    undecided = Window(last_slot := floor(now, SLOT), last_slot + MAX_DECISION_DELAY_MS).clip(window)
    return () if undecided is None else store.totals(centres, "5m", undecided, "desk")


def _queue_key(total: Total, starts: list[int]) -> QueueKey:
    desk = Scope(total.scope)
    return desk.centre_id, desk.service, bisect_right(starts, total.start) - 1


def empty_queue_row(centre: Centre, service: str, query: BucketQuery) -> QueueHistoryRow:
    """Return the row of a named service in which nothing happened."""
    return QueueHistoryRow(centre.id, service, query.window, centre.zone, {})
