"""Totals in memory, read through the interface of TotalsCache; it must hold no test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.queries.totals_cache import CompactTotal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.totals import Total


class Rows:
    """Totals in memory, read as a store is."""

    def __init__(self, *totals: Total) -> None:
        self.totals = totals

    def rows(
        self, units: Sequence[str], width: BucketWidth, window: Window, kind: str, zone: ZoneInfo  # noqa: ARG002
    ) -> Iterable[CompactTotal]:  # fmt: skip
        for t in self.totals:
            mine = t.entity in units and t.width == width and t.scope.startswith(kind)
            if mine and window.start <= t.start < window.end:
                yield CompactTotal.from_total(t)
