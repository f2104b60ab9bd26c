"""A store read through the interface of TotalsCache, without a cache: what the cache must agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.queries.totals_cache import CompactTotal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.queries.totals_cache import TotalsReader


class UncachedTotals:
    """Reads totals from a store for every call."""

    def __init__(self, store: TotalsReader) -> None:
        self._store = store

    def rows(
        self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str, zone: ZoneInfo
    ) -> Iterable[CompactTotal]:
        del zone
        return map(CompactTotal.from_total, self._store.totals(entities, width, window, kind))
