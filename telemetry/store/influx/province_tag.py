"""Whose totals and state a point is, where several provinces share the buckets: the tag `province`. Pure.

Points of before the tag have none: they are read as one's own, until one's own point of the same place stands beside
them and hides them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from telemetry.store.influx.influxql import quoted
from telemetry.store.influx.line_protocol import tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.store.influx.server import Found

Row = TypeVar("Row")
TAG = "province"


class Share:
    """One province's part of shared buckets; of no province, the untagged part."""

    def __init__(self, province: str = "") -> None:
        self._province = province
        self.label = b",province=%b" % tag(province) if province else b""
        """What goes into a line between the measurement's other tags."""

    @property
    def mine(self) -> str:
        """Return the condition that a point is one's own, or nobody's."""
        own = f" OR {TAG} = {quoted(self._province)}" if self._province else ""
        return f"({TAG} = ''{own})"

    def first(self, found: Iterable[Found[Row]]) -> list[Found[Row]]:
        """Return the series, nobody's before one's own: who reads them in order keeps one's own."""
        return sorted(found, key=lambda series: series.tags.get(TAG, ""))
