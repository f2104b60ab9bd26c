"""Says where an answer comes from: as of when, from which revision and inventory; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import stamp
from telemetry.core.slo.periods import settled_until

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.completeness import Completeness
    from telemetry.core.inventory import Centre
    from telemetry.queries import Queries


def meta(queries: Queries) -> s.Meta:
    """Say where an answer comes from."""
    return s.Meta(**origin(queries))  # type: ignore[arg-type]


def origin(queries: Queries, zone: ZoneInfo | None = None, centre: Centre | None = None) -> dict[str, object]:
    """Return what every meta has; with a centre also which calendar counts."""
    inventory, snapshot, now = queries.inventory(), queries.snapshot(), queries.now()
    place = zone or inventory.zone
    return {
        "as_of": stamp(now, place),
        "revision": snapshot.version,
        "timezone": place.key,
        "inventory_version": inventory.version,
        "settled_until": stamp(settled_until(now, place), place),
        "calendar_version": centre.calendar.version if centre else None,
        "simulated": inventory.simulated or any(row.simulated for row in snapshot.centres.values()),
    }


def window_meta(
    queries: Queries, window: Window, zone: ZoneInfo, coverage: float | None, centre: Centre | None = None,
) -> s.WindowMeta:  # fmt: skip
    """Say where an answer about a window comes from, and which calendar counted."""
    start, end = stamp(window.start, zone), stamp(window.end, zone)
    known = origin(queries, zone, centre)
    return s.WindowMeta(**known, from_=start, to=end, coverage=coverage)  # type: ignore[arg-type]


def completeness_meta(queries: Queries, parts: Completeness) -> s.CompletenessMeta:
    """Say where completeness comes from, with its sums."""
    return s.CompletenessMeta(**origin(queries), totals=s.Parts(**_parts(parts)))  # type: ignore[arg-type]


def _parts(parts: Completeness) -> dict[str, int | float | None]:
    names = ("stored", "refused", "dropped", "highest", "ratio")
    return {name: getattr(parts, name) for name in names}


def completeness_row(device: str, spools: int, parts: Completeness) -> s.CompletenessRow:
    """Shape one device's completeness."""
    return s.CompletenessRow(device=device, spools=spools, **_parts(parts))  # type: ignore[arg-type]
