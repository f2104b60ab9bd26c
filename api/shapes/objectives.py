"""Turns objectives into what goes over the wire; it must not compute figures the core does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from api import schemas as s
from api.shapes.origin import origin
from api.times import stamp, stamp_or_none
from telemetry.core.figures.accounting import Account
from telemetry.core.slo.cells import TIME
from telemetry.queries.slos import counted, summed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.live_row_types import ReadingNow
    from telemetry.core.inventory import Centre, Objective
    from telemetry.core.slo.budget import Budget, Standing
    from telemetry.core.slo.history import Point, Spend
    from telemetry.core.slo.measures import Measure
    from telemetry.queries import Queries, Standpoint
    from telemetry.queries.slo_history import Place

WORST = 5
_UNITS: dict[str, Literal["seconds", "tickets", "probes", "days"]] = {
    "availability": "seconds", "connectivity": "seconds", "readiness": "days", "wait": "tickets", "latency": "probes",
}  # fmt: skip


def slo_meta(queries: Queries, found: Sequence[Standpoint], zone: ZoneInfo, centre: Centre | None = None) -> s.SloMeta:
    """Say as of when the objectives were judged, the oldest of them, and whose calendar counts."""
    judged = min((one.at for one in found if one.at is not None), default=None)
    settled = min((one.settled_until for one in found if one.settled_until is not None), default=None)
    known = origin(queries, zone, centre)
    if judged is not None:
        known["as_of"] = stamp(judged, zone)
    if settled is not None:
        known["settled_until"] = stamp(settled, zone)
    return s.SloMeta(**known, judged_at=stamp_or_none(judged, zone))  # type: ignore[arg-type]


def seconds(found: Account) -> s.Seconds:
    """Shape time by state."""
    return s.Seconds(open=found.total, up=found.up, down=found.down, unknown=found.unknown, excluded=found.excluded)


def counted_out(found: Measure) -> s.Counted:
    """Shape what counted."""
    return s.Counted(good=found.good, bad=found.bad)


def budget_out(found: Budget, objective: Objective, exhausts_at: str | None = None) -> s.BudgetOut:
    """Shape a budget, in seconds and minutes when it is one of time."""
    unit = _UNITS[objective.sli]
    whole = (found.total, float(found.consumed), found.remaining) if unit == "seconds" else (None, None, None)
    minutes = found.minutes if unit == "seconds" else (None, None, None)
    return s.BudgetOut(
        total_s=whole[0], consumed_s=whole[1], remaining_s=whole[2],
        total_min=minutes[0], consumed_min=minutes[1], remaining_min=minutes[2],
        unit=unit, total=found.total, consumed=found.consumed, remaining=found.remaining,
        remaining_ratio=found.remaining_ratio, exhausts_at=exhausts_at,
    )  # fmt: skip


def slo_status(found: Standpoint, zone: ZoneInfo, centre: Centre | None) -> s.SloStatus:
    """Shape an objective at one scope, with all there is to know."""
    objective = found.objective
    return s.SloStatus(
        slo=objective.id,
        scope=found.scope,
        target=objective.goal,
        window=_period(found, zone, centre),
        sli=_sli(found),
        seconds=seconds(found.account),
        counted=counted_out(found.measure),
        budget=budget_out(found.budget, objective, stamp_or_none(found.row.exhausts_at, zone)),
        burn=[_burn(reading, zone) for reading in found.row.readings],
        status=found.standing,
    )


def _period(found: Standpoint, zone: ZoneInfo, centre: Centre | None) -> s.Period:
    objective, judged = found.objective, found.at is not None
    return s.Period(
        type=objective.period,
        days=objective.days,
        clock=objective.clock,
        calendar=f"{centre.id}@{centre.calendar.version}" if centre and objective.clock == "open" else None,
        from_=stamp(found.row.start, zone) if judged else None,
        to=stamp(found.row.end, zone) if judged else None,
    )


def _sli(found: Standpoint) -> s.SliOut:
    account = found.account
    return s.SliOut(
        value=found.measure.ratio,
        low=account.low,
        high=account.high,
        coverage=account.coverage,
        unknown_as=found.objective.unknown,
    )


def _burn(reading: ReadingNow, zone: ZoneInfo) -> s.BurnOut:
    return s.BurnOut(
        rule=reading.rule,
        severity=reading.severity,
        long_s=reading.long_ms // 1000,
        short_s=reading.short_ms // 1000,
        long=reading.long,
        short=reading.short,
        threshold=reading.threshold,
        armed=reading.armed,
        firing=reading.fired is not None,
        since=stamp_or_none(reading.fired, zone),
    )


def slo_row(found: Standpoint, zone: ZoneInfo) -> s.SloRow:
    """Shape an objective at one scope for a list."""
    return s.SloRow(
        slo=found.objective.id,
        scope=found.scope,
        target=found.objective.goal,
        value=found.measure.ratio,
        coverage=found.account.coverage,
        seconds=seconds(found.account),
        counted=counted_out(found.measure),
        remaining_ratio=found.budget.remaining_ratio,
        remaining_min=found.budget.minutes[2] if found.in_seconds else None,
        firing=[reading.rule for reading in found.row.readings if reading.fired is not None],
        status=found.standing,
        judged_at=stamp_or_none(found.at, zone),
    )


def slo_definition(objective: Objective, found: Sequence[Standpoint], zone: ZoneInfo) -> s.SloDefinition:
    """Shape what is promised, with the sums over its scopes and the five that have least budget left."""
    account, measure = summed(found)
    same = ("id", "name_vi", "name_en", "scope", "sli", "days", "period", "clock", "alert")
    return s.SloDefinition(
        **{name: getattr(objective, name) for name in same},
        target=objective.goal,
        threshold_s=objective.threshold_ms / 1000 if objective.threshold_ms else None,
        unknown_as=objective.unknown,
        scopes=len(found),
        standing=standings(counted(found)),
        sums=s.SloSums(
            seconds=seconds(account),
            counted=counted_out(measure),
            value=measure.ratio,
            coverage=account.coverage,
        ),
        worst=[slo_row(one, zone) for one in found[:WORST]],
    )


def standings(found: Mapping[Standing, int]) -> s.Counts:
    """Shape counts by standing."""
    return s.Counts(**{str(word): count for word, count in found.items()})


def pill(found: Standpoint) -> s.Pill:
    """Shape an objective in a word."""
    return s.Pill(
        slo=found.objective.id,
        status=found.standing,
        remaining_ratio=found.budget.remaining_ratio,
        remaining_min=found.budget.minutes[2] if found.in_seconds else None,
        coverage=found.account.coverage,
    )


def point(place: Place, found: Point) -> s.SloPoint:
    """Shape one bucket of history."""
    return s.SloPoint(
        slo=place.objective.id,
        scope=place.scope,
        from_=stamp(found.bucket.start, place.zone),
        to=stamp(found.bucket.end, place.zone),
        seconds=seconds(_timed(place, found.account)),
        counted=counted_out(found.measure),
        value=found.measure.ratio,
        coverage=_timed(place, found.account).coverage,
        burn=found.burn,
        budget=budget_out(found.budget, place.objective),
    )


def _timed(place: Place, found: Account) -> Account:
    return found if place.objective.sli in TIME else Account(0, 0, 0, 0)


def spend(found: Spend, cause: str, place: Place) -> s.SpendOut:
    """Shape a run of bad time, tickets, probes or days; only time is in seconds and has parts."""
    zone, unit = place.zone, _UNITS[place.objective.sli]
    timed = unit == "seconds"
    return s.SpendOut(
        from_=stamp(found.window.start, zone),
        to=stamp(found.window.end, zone),
        seconds=found.bad / 1000 if timed else None,
        unit=unit,
        bad=found.bad / 1000,
        share=found.share,
        cause=cause,
        parts=seconds(found.tally.seconds().account) if timed else None,
    )


def known_share(found: Iterable[Account]) -> float | None:
    """Return the known share of all open time, as accounts say it."""
    kept = list(found)
    parts = (sum(getattr(a, name) for a in kept) for name in ("total", "up", "down", "unknown", "excluded"))
    return Account(*parts).coverage
