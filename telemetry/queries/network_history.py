"""Reads the queue figures of a period of days over many centres, and of each centre once; never from raw events.

The sums of a centre over a piece of the period that has settled are remembered until its live row's `reopened`
changes (see `totals_cache`): by bucket and by service, not by both, so that a province of 700 centres fits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.figures.queue_periods import QueueHistoryRow
from telemetry.core.fold.totals import add_to_sums
from telemetry.queries.buckets import BucketQuery
from telemetry.queries.period_history import PeriodHistory, PeriodRows, choose_bucket, history_of_centres
from telemetry.queries.queue_history import pieces_to_remember
from telemetry.queries.queues import CENTRES_PER_READ, queue_history_rows
from telemetry.queries.settled_cache import SettledCache, settled_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Window
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
        self._sums: SettledCache[tuple[str, BucketQuery, str | None], CentreSums] = SettledCache(MAX_CACHED_SUMS)
        self._histories: SettledCache[HistoryKey, PeriodHistory] = SettledCache(MAX_CACHED_HISTORIES)

    def read(self, centres: Sequence[Centre], days: DayRange, service: str | None = None) -> PeriodHistory:
        """Return the history of `centres` as one; a day is shown by hour, more days by day or month."""
        inputs = self._inputs()
        for cache in (self._sums, self._histories):
            cache.forget_other_declarations((inputs.version, inputs.periods))
        key = tuple(centre.id for centre in centres), days, service
        versions = tuple(_version_of(centre, days.window, inputs) for centre in centres)
        cached = self._histories.recall(key, versions)
        if cached is not None:
            return cached
        bucket = choose_bucket(days, by_half_hour=False)
        query = BucketQuery(days.window, bucket, days.zone)
        history = history_of_centres(centres, days, service, self._rows(centres, query, service, inputs), inputs.now)
        self._histories.remember(key, versions, history)
        return history

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
            versions = {centre.id: _version_of(centre, query.window, inputs) for centre in chunk}
            known = {ident: self._sums.recall((ident, query, service), versions[ident]) for ident in versions}
            missing = [centre for centre in chunk if known[centre.id] is None]
            if missing:
                for ident, sums in self._read(missing, query, service, inputs).items():
                    self._sums.remember((ident, query, service), versions[ident], sums, sums.size)
                    known[ident] = sums
            yield from ((ident, sums) for ident, sums in known.items() if sums is not None)

    def _read(
        self, centres: Sequence[Centre], query: BucketQuery, service: str | None, inputs: HistoryInputs
    ) -> dict[str, CentreSums]:
        rows: dict[str, list[QueueHistoryRow]] = {centre.id: [] for centre in centres}
        for row in queue_history_rows(self._store, centres, query, service, inputs.now):
            rows[row.centre].append(row)
        return {ident: sums_of_rows(own) for ident, own in rows.items()}


def sums_of_rows(rows: Iterable[QueueHistoryRow]) -> CentreSums:
    """Return the sums of a centre's rows by bucket and by service."""
    by_start: dict[int, dict[str, int]] = defaultdict(dict)
    by_service: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        add_to_sums(by_start[row.window.start], row.sums)
        add_to_sums(by_service[row.service], row.sums)
    return CentreSums(dict(by_start), dict(by_service))


def _version_of(centre: Centre, window: Window, inputs: HistoryInputs) -> int:
    return settled_version(inputs.snapshot, centre.id, window, inputs.now)
