"""How an objective's budget went: bucket by bucket, and what consumed it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from api import shapes
from api.deps import Asked
from api.paging import PageAsked
from api.schemas import SloPoint, SpendOut, WindowEnvelope
from api.times import SpanAsked
from telemetry.core.calendar.windows import DAY, FIVE, Window, floor, widen
from telemetry.core.slo.periods import calendar, rolling
from telemetry.queries import BadWindow
from telemetry.queries.slo_history import Place, cause

router = APIRouter(tags=["slos"])
Width = Literal["1h", "1d", "1mo"]
Where = Annotated[str, Query(description="centre:ID, device:ID or system:ID")]
LONGEST: dict[Width, int] = {"1h": 31 * DAY, "1d": 92 * DAY, "1mo": 366 * DAY}


class Which:
    """Which objective at which scope, in which buckets."""

    def __init__(self, slo: str, scope: Where, bucket: Width = "1d") -> None:
        self.slo = slo
        self.scope = scope
        self.bucket = bucket


@router.get("/slos/{slo}/history", operation_id="slo_history")
def history(
    asked: Annotated[Which, Depends()], queries: Asked, span: SpanAsked, page: PageAsked
) -> WindowEnvelope[SloPoint]:
    """List an objective's figures bucket by bucket; its period so far unless said."""
    place, bucket = queries.place(asked.slo, asked.scope), asked.bucket
    window = widen(span.window(place.zone, lambda: period(place, queries.now())))
    if window.length > LONGEST[bucket]:
        msg = f"at most {LONGEST[bucket] // DAY} days at bucket={bucket}: ask for less, or for a wider bucket"
        raise BadWindow(msg)
    found = queries.history(place, window, bucket)
    part, following = page.cut(found, lambda p: (p.bucket.start,))
    known = shapes.known_share(p.account for p in found)
    meta = shapes.window_meta(queries, window, place.zone, known, queries.centre_of(asked.scope))
    return WindowEnvelope(data=[shapes.point(place, p) for p in part], meta=meta, next=following)


@router.get("/slos/{slo}/spending", operation_id="slo_spending")
def spending(slo: str, queries: Asked, scope: Where, page: PageAsked) -> WindowEnvelope[SpendOut]:
    """List what consumed the budget of the present period, the greatest first."""
    place = queries.place(slo, scope)
    window = period(place, queries.now())
    found = queries.spending(place, window)
    part, following = page.cut(found, lambda x: (-x.bad, x.window.start))
    meta = shapes.window_meta(queries, window, place.zone, None, queries.centre_of(scope))
    data = [shapes.spend(one, cause(one, place), place) for one in part]
    return WindowEnvelope(data=data, meta=meta, next=following)


def period(place: Place, now: int) -> Window:
    """Return the present period as far as it has passed."""
    objective = place.objective
    if objective.period == "rolling":
        return rolling(objective.days, now, place.zone)
    whole = calendar(objective.period, now, place.zone)
    return Window(whole.start, max(whole.start + FIVE, floor(now, FIVE)))
