"""Says where an answer comes from: as of when, from which revision and inventory; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import rfc3339
from telemetry.core.slo.periods import settled_until

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.completeness import Completeness
    from telemetry.core.inventory import Centre
    from telemetry.queries import Queries


def response_meta(queries: Queries) -> s.ResponseMeta:
    """Say where an answer comes from."""
    return s.ResponseMeta(**meta_fields(queries))  # type: ignore[arg-type]


def meta_fields(queries: Queries, zone: ZoneInfo | None = None, centre: Centre | None = None) -> dict[str, object]:
    """Return what every meta has; with a centre also which calendar counts."""
    inventory, snapshot, now = queries.inventory(), queries.snapshot(), queries.now()
    local_zone = zone or inventory.zone
    return {
        "as_of": rfc3339(now, local_zone),
        "revision": snapshot.version,
        "timezone": local_zone.key,
        "inventory_version": inventory.version,
        "settled_until": rfc3339(settled_until(now, local_zone), local_zone),
        "calendar_version": centre.calendar.version if centre else None,
        "simulated": inventory.simulated or any(row.simulated for row in snapshot.centres.values()),
    }


def window_meta(
    queries: Queries, window: Window, zone: ZoneInfo, coverage: float | None, centre: Centre | None = None,
) -> s.WindowMeta:  # fmt: skip
    """Say where an answer about a window comes from, and which calendar counted."""
    start, end = rfc3339(window.start, zone), rfc3339(window.end, zone)
    fields = meta_fields(queries, zone, centre)
    return s.WindowMeta(**fields, from_=start, to=end, coverage=coverage)  # type: ignore[arg-type]


def completeness_meta(queries: Queries, counts: Completeness) -> s.CompletenessMeta:
    """Say where completeness comes from, with its sums."""
    return s.CompletenessMeta(**meta_fields(queries), totals=s.RowCounts(**_row_count_fields(counts)))  # type: ignore[arg-type]


def _row_count_fields(counts: Completeness) -> dict[str, int | float | None]:
    names = ("stored", "refused", "dropped", "highest", "ratio")
    return {name: getattr(counts, name) for name in names}


def completeness_row(device: str, spools: int, counts: Completeness) -> s.CompletenessRow:
    """Shape one device's completeness."""
    return s.CompletenessRow(device=device, spools=spools, **_row_count_fields(counts))  # type: ignore[arg-type]
