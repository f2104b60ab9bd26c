"""Whose totals and state a point is, where several provinces share the buckets: the tag `province`. Pure.

Points of before the tag have none: they are read as one's own, until one's own point of the same place stands beside
them and hides them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from telemetry.store.influx.influxql import quote_string
from telemetry.store.influx.line_protocol import escape_tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.store.influx.server import InfluxSeries

RowT = TypeVar("RowT")
TAG = "province"


class ProvinceTag:
    """One province's part of shared buckets; of no province, the untagged part."""

    def __init__(self, province: str = "") -> None:
        self._province = province
        self.line_tag = b",province=%b" % escape_tag(province) if province else b""
        """What goes into a line between the measurement's other tags."""

    @property
    def condition(self) -> str:
        """Return the condition that a point is one's own, or nobody's."""
        own = f" OR {TAG} = {quote_string(self._province)}" if self._province else ""
        return f"({TAG} = ''{own})"

    def sort_own_last(self, answer: Iterable[InfluxSeries[RowT]]) -> list[InfluxSeries[RowT]]:
        """Return the series, nobody's before one's own: who reads them in order keeps one's own."""
        return sorted(answer, key=lambda series: series.tags.get(TAG, ""))
