"""Reads the queue figures of a period of days over many centres, and of each centre once; never from raw events.

The sums of a centre over a piece of the period that has settled are remembered until its live row's `reopened`
changes (see `totals_cache`): by bucket and by service, not by both, so that a province of 700 centres fits.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.figures.queue_periods import QueueHistoryRow
from telemetry.core.fold.totals import add_to_sums
from telemetry.queries.buckets import BucketQuery
from telemetry.queries.period_history import PeriodHistory, PeriodRows, choose_bucket, history_of_centres
from telemetry.queries.queue_history import pieces_to_remember
from telemetry.queries.queues import CENTRES_PER_READ, queue_history_rows
from telemetry.queries.totals_cache import SETTLING_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Centre
    from telemetry.queries.period_history import DayRange
    from telemetry.queries.queue_history import HistoryInputs
    from telemetry.queries.totals_cache import TotalsReader

MAX_CACHED_SUMS = 40_000
"""Sums remembered in all, some 2 kB each (700 centres over 28 days need 25,000); the least recently used go first."""
MAX_CACHED_HISTORIES = 8
"""Whole answers that are remembered while none of their centres has changed."""
HistoryKey = tuple[tuple[str, ...], "DayRange", str | None]


@dataclass(frozen=True, slots=True)
class CentreSums:
    """A centre's sums over a window: by the start of a bucket, Unix ms, and by service."""

    by_start: Mapping[int, Mapping[str, int]]
    by_service: Mapping[str, Mapping[str, int]]

    @property
    def size(self) -> int:
        """Return how many sums it holds."""
        return 1 + len(self.by_start) + len(self.by_service)


class NetworkHistoryReader:
    """Histories of many centres; safe to call from many threads."""

    def __init__(self, store: TotalsReader, inputs: Callable[[], HistoryInputs]) -> None:
        self._store, self._inputs = store, inputs
        self._lock = threading.Lock()
        self._sums: OrderedDict[tuple[str, BucketQuery, str | None], tuple[int, CentreSums]] = OrderedDict()
        self._histories: OrderedDict[HistoryKey, tuple[tuple[int, ...], PeriodHistory]] = OrderedDict()
        self._size = 0
        self._made_with: tuple[str, ServicePeriods] | None = None

    def read(self, centres: Sequence[Centre], days: DayRange, service: str | None = None) -> PeriodHistory:
        """Return the history of `centres` as one; a day is shown by hour, more days by day or month."""
        inputs = self._inputs()
        self._forget_other_declarations(inputs)
        key = tuple(centre.id for centre in centres), days, service
        versions = tuple(_version_of(centre, days.window, inputs) for centre in centres)
        with self._lock:
            cached = self._histories.get(key)
            if cached is not None and cached[0] == versions and all(versions):
                self._histories.move_to_end(key)
                return cached[1]
        bucket = choose_bucket(days, by_half_hour=False)
        query = BucketQuery(days.window, bucket, days.zone)
        history = history_of_centres(centres, days, service, self._rows(centres, query, service, inputs), inputs.now)
        if all(versions):
            with self._lock:
                self._histories[key] = versions, history
                while len(self._histories) > MAX_CACHED_HISTORIES:
                    self._histories.popitem(last=False)
        return history

    def _forget_other_declarations(self, inputs: HistoryInputs) -> None:
        with self._lock:
            if self._made_with != (inputs.version, inputs.periods):
                self._sums.clear()
                self._histories.clear()
                self._size, self._made_with = 0, (inputs.version, inputs.periods)

    def _rows(
        self, centres: Sequence[Centre], query: BucketQuery, service: str | None, inputs: HistoryInputs
    ) -> PeriodRows:
        """Return the sums by bucket, by service and by centre as rows that need only be divided."""
        buckets = query.buckets()
        starts = [bucket.start for bucket in buckets]
        by_bucket: dict[int, dict[str, int]] = defaultdict(dict)
        by_service: dict[str, dict[str, int]] = defaultdict(dict)
        by_centre: dict[str, dict[str, int]] = defaultdict(dict)
        for piece in pieces_to_remember(query, inputs.now):
            for ident, sums in self._sums_of(centres, replace(query, window=piece), service, inputs):
                for start, own in sums.by_start.items():
                    add_to_sums(by_bucket[bisect_right(starts, start) - 1], own)
                    add_to_sums(by_centre[ident], own)
                for name, own in sums.by_service.items():
                    add_to_sums(by_service[name], own)
        whole, zone = query.window, query.zone
        return PeriodRows(
            by_time=tuple(QueueHistoryRow("", "", buckets[i], zone, by_bucket[i]) for i in sorted(by_bucket)),
            by_service=tuple(QueueHistoryRow("", name, whole, zone, sums) for name, sums in by_service.items()),
            by_centre=tuple(QueueHistoryRow(ident, "", whole, zone, sums) for ident, sums in by_centre.items()),
        )

    def _sums_of(
        self, centres: Sequence[Centre], query: BucketQuery, service: str | None, inputs: HistoryInputs
    ) -> Iterator[tuple[str, CentreSums]]:
        """Yield each centre's sums over a piece, remembered or read."""
        for first in range(0, len(centres), CENTRES_PER_READ):
            chunk = centres[first : first + CENTRES_PER_READ]
            known = {centre.id: self._recall(centre, query, service, inputs) for centre in chunk}
            missing = [centre for centre in chunk if known[centre.id] is None]
            if missing:
                known |= self._read(missing, query, service, inputs)
            yield from ((ident, sums) for ident, sums in known.items() if sums is not None)

    def _recall(
        self, centre: Centre, query: BucketQuery, service: str | None, inputs: HistoryInputs
    ) -> CentreSums | None:
        key = centre.id, query, service
        with self._lock:
            cached = self._sums.get(key)
            if cached is None or cached[0] != _version_of(centre, query.window, inputs):
                return None
            self._sums.move_to_end(key)
            return cached[1]

    def _read(
        self, centres: Sequence[Centre], query: BucketQuery, service: str | None, inputs: HistoryInputs
    ) -> dict[str, CentreSums]:
        rows: dict[str, list[QueueHistoryRow]] = {centre.id: [] for centre in centres}
        for row in queue_history_rows(self._store, centres, query, service, inputs.now):
            rows[row.centre].append(row)
        read = {ident: sums_of_rows(own) for ident, own in rows.items()}
        for centre in centres:
            self._remember((centre.id, query, service), _version_of(centre, query.window, inputs), read[centre.id])
        return read

    def _remember(self, key: tuple[str, BucketQuery, str | None], version: int, sums: CentreSums) -> None:
        if not version:
            return
        with self._lock:
            former = self._sums.pop(key, None)
            self._sums[key] = version, sums
            self._size += sums.size - (former[1].size if former else 0)
            while self._size > MAX_CACHED_SUMS:
                self._size -= self._sums.popitem(last=False)[1][1].size


def sums_of_rows(rows: Iterable[QueueHistoryRow]) -> CentreSums:
    """Return the sums of a centre's rows by bucket and by service."""
    by_start: dict[int, dict[str, int]] = defaultdict(dict)
    by_service: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        add_to_sums(by_start[row.window.start], row.sums)
        add_to_sums(by_service[row.service], row.sums)
    return CentreSums(dict(by_start), dict(by_service))


def _version_of(centre: Centre, window: Window, inputs: HistoryInputs) -> int:
    """Return the version of a centre's totals in a window, 0 when they may still change unnoticed."""
    settled = window.end + SETTLING_MS <= inputs.now
    return inputs.snapshot.reopened_at(centre.id) if settled else 0
