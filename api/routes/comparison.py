"""Two periods or two centres side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.routes.queues import validate_threshold
from api.schemas.comparison import (
    ComparisonEnvelope,
    ComparisonResponse,
    ComparisonSideResponse,
    FigureComparisonResponse,
)
from api.schemas.envelope import ResponseMeta
from api.times import WindowParam, parse_time
from telemetry.core.calendar.windows import HOUR, Window, ceil, floor
from telemetry.queries.comparison import ComparedSubject
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

router = APIRouter(tags=["queues"])


class OtherSide:
    """What the requested side is compared with."""

    def __init__(
        self,
        other_centre: Annotated[str | None, Query(description="a centre; by default that of the first side")] = None,
        other_from: Annotated[str | None, Query(description="RFC 3339, inclusive; by default as long before")] = None,
        other_to: Annotated[str | None, Query(description="RFC 3339, exclusive; by default `from`")] = None,
    ) -> None:
        self.centre, self.start, self.end = other_centre, other_from, other_to

    def window(self, first: Window, zone: ZoneInfo) -> Window:
        """Return the other window: the one before `first`; with another centre and no times, the same one."""
        if self.centre is not None and self.start is None and self.end is None:
            return first
        end = first.start if self.end is None else parse_time(self.end, "other_to", zone)
        start = end - first.length if self.start is None else parse_time(self.start, "other_from", zone)
        if end <= start:
            msg = "`other_to` is not included and must be later than `other_from`"
            raise BadWindow(msg)
        return Window(start, end)


@router.get("/comparison", operation_id="comparison")
def compare_sides(  # noqa: PLR0913, PLR0917  # a parameter each
    queries: QueriesDep, span: WindowParam, other: Annotated[OtherSide, Depends()],
    within: Annotated[int, Depends(validate_threshold)], gate: HeavyQueryDep, centre: str | None = None,
    service: str | None = None,
) -> ComparisonEnvelope:  # fmt: skip
    """Compare a centre or the province over two periods, or two centres, with verdicts; by default today so far."""
    zone = queries.zone(centre)
    first = span.resolve(zone, lambda: queries.today_so_far(zone))
    windows = [_whole_hours(window) for window in (first, other.window(first, zone))]
    subjects = [
        ComparedSubject(ident, window, service)
        for ident, window in zip((centre, other.centre or centre), windows, strict=True)
    ]
    if service is not None:
        queries.check_service(service, [queries.network().centre(s.centre) for s in subjects if s.centre])
    cost = max((queries.queue_history_cost(s.centre, s.window, "1d") for s in subjects), key=lambda c: c.rows)
    with gate.admit(cost):
        sides = [queries.comparisons.side(subject) for subject in subjects]
        figures = queries.comparisons.compare(sides[0], sides[1], within)
    shown = [ComparisonSideResponse.from_side(side, zone) for side in sides]
    data = ComparisonResponse(
        first=shown[0], second=shown[1], figures=[FigureComparisonResponse.from_comparison(f) for f in figures]
    )  # fmt: skip
    return ComparisonEnvelope(data=data, meta=ResponseMeta.current(queries, zone))


def _whole_hours(window: Window) -> Window:
    return Window(floor(window.start, HOUR), ceil(window.end, HOUR))
