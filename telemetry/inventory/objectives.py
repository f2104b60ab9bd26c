"""Builds the service level objectives of objectives.toml and checks that each of them can work.

Faults and warnings go to the records; it must not read files and must not compute any figure.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast, get_args

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.figures.accounting import Policy
from telemetry.core.fold.totals import LATENCY_MS, LEVELS_S
from telemetry.core.inventory import Objective, Period, Sli
from telemetry.core.slo.budget import slack
from telemetry.core.slo.burn_rate import OPEN_RULES, WALL_RULES, can_fire, threshold
from telemetry.inventory.build import KINDS, LEVELS, keyed
from telemetry.inventory.record import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import Hours
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.slo.burn_rate import Rule
    from telemetry.inventory.files import Document
    from telemetry.inventory.record import Record

OBJECTIVE = Keys(
    ("id", "name_vi", "name_en", "scope", "sli", "goal"),
    ("days", "period", "clock", "unknown", "alert", "threshold_s", "threshold_ms"),
)
SLIS: tuple[Sli, ...] = get_args(Sli)
PERIODS: tuple[Period, ...] = get_args(Period)
POLICIES: tuple[Policy, ...] = get_args(Policy)
LONGEST: Mapping[Period, int] = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""The most days a calendar period has; that many an objective with such a period bears."""
CENTRES, DEVICES = ("centre", *LEVELS), ("device", *KINDS)
FAMILIES = dict.fromkeys(CENTRES, "centre") | dict.fromkeys(DEVICES, "device") | {"system": "system"}
"""What kind of thing a scope is, by its word before the colon."""
FITTING: Mapping[Sli, tuple[str, ...]] = {
    "availability": ("centre", "device", "system"),
    "connectivity": ("centre", "device"),
    "readiness": ("centre",),
    "wait": ("centre",),
    "latency": ("system",),
}
"""The kinds of things an SLI is known of."""
TIMED: tuple[Sli, ...] = ("availability", "connectivity", "readiness")
"""SLIs with unknown time (or days); the others count tickets and probes."""
THRESHOLDS: Mapping[Sli, tuple[str, int, tuple[int, ...]]] = {
    "wait": ("threshold_s", 1000, LEVELS_S),
    "latency": ("threshold_ms", 1, LATENCY_MS),
}
"""The key of an SLI's threshold, the ms in its unit, and the values the totals know."""
WEEK_FROM = 4 * DAY
"""A Monday, 00:00 UTC: four days after Thursday, 1 January 1970."""


def family(scope: str) -> str:
    """Return what kind of thing a scope is: centre, device or system; empty when it is none."""
    return FAMILIES.get(scope.partition(":")[0], "")


def default_policy(sli: Sli) -> Policy:
    """Return what unknown time counts as when an objective does not say: silence is an outage of a connection."""
    return "down" if sli == "connectivity" else "settle"


def default_clock(scope: str) -> Literal["open", "wall"]:
    """Return the clock of an objective that names none: people need systems at all hours."""
    return "wall" if family(scope) == "system" else "open"


def objectives(doc: Document, world: Inventory) -> tuple[Objective, ...]:
    """Build the objectives; `world` has the centres, devices and systems that they may name."""
    doc.record(Keys((), ("objective",)))
    return tuple(keyed(doc.records("objective", OBJECTIVE), "id", lambda r: _objective(r, world)).values())


def _objective(r: Record, world: Inventory) -> Objective:
    sli, scope = cast("Sli", r.choice("sli", SLIS)), _scope(r, world)
    _check_fits(r, sli, scope)
    period, days = _period(r)
    found = Objective(
        id=r.ident("id"),
        name_vi=r.text("name_vi"),
        name_en=r.text("name_en"),
        scope=scope,
        sli=sli,
        goal=_goal(r),
        days=days,
        clock=_clock(r, sli, scope),
        threshold_ms=_threshold(r, sli),
        period=period,
        unknown=_unknown(r, sli),
        alert=r.flag("alert", default=True),
    )
    _warn_mute(r, found, world)
    return found


def _scope(r: Record, world: Inventory) -> str:
    scope = r.text("scope")
    kind, colon, ident = scope.partition(":")
    known = {"centre": world.centres, "device": world.devices, "system": world.systems}
    if colon and kind in known:
        r.refer("scope", ident, known[kind], kind)
    if scope and ((colon and (kind not in known or not ident)) or kind not in FAMILIES):
        words = ", ".join((*CENTRES, "centre:ID", *DEVICES, "device:ID", "system"))
        r.fault("scope", f"{scope!r} is not known", f"use {words} or system:ID")
    return scope


def _check_fits(r: Record, sli: Sli, scope: str) -> None:
    kind = family(scope)
    if kind and kind not in FITTING[sli]:
        fitting = " or ".join(FITTING[sli])
        r.fault("sli", f"{sli} is not measured of {kind}s", f"use a scope of {fitting}s, or another sli")


def _goal(r: Record) -> float:
    goal = r.real("goal", 1.0)
    if r.values.get("goal") in (0, 1):
        problem = "leaves no error budget" if goal else "asks for nothing"
        r.fault("goal", f"{goal:g} {problem}", "write a number between 0 and 1, such as 0.995")
    return goal


def _period(r: Record) -> tuple[Period, int]:
    period = cast("Period", r.choice("period", PERIODS, "rolling"))
    if period == "rolling":
        if "days" not in r.values:
            r.fault("days", "is missing", "add it, or a period of the calendar such as month")
        return period, r.number("days", 1, 366)
    if "days" in r.values:
        r.fault("days", f"does not fit a period of one {period}", "remove it, or remove period")
    return period, LONGEST[period]


def _clock(r: Record, sli: Sli, scope: str) -> Literal["open", "wall"]:
    clock = r.choice("clock", ("open", "wall"), default_clock(scope))
    if sli == "readiness" and clock == "wall":
        r.fault("clock", "readiness counts opening days, not hours of the wall clock", "remove it")
    return cast("Literal['open', 'wall']", clock)


def _unknown(r: Record, sli: Sli) -> Policy:
    if sli not in TIMED and "unknown" in r.values:
        r.fault("unknown", f"does not fit sli {sli}: it counts no time", "remove it")
    return cast("Policy", r.choice("unknown", POLICIES, default_policy(sli)))


def _threshold(r: Record, sli: Sli) -> int:
    """Return the threshold, ms; each SLI that needs one has its own key and its own values."""
    for other, (key, _, _) in THRESHOLDS.items():
        if (sli == other) != (key in r.values):
            r.fault(key, f"does not fit sli {sli}", f"give it to {other} objectives, and only to them")
    if sli not in THRESHOLDS:
        return 0
    key, unit, allowed = THRESHOLDS[sli]
    value = r.number(key, 0, 86_400_000, 0)
    if key in r.values and value not in allowed:
        r.fault(key, f"{value} is not counted", f"use one of {', '.join(map(str, allowed))}")
    return unit * value


def rules(objective: Objective) -> tuple[Rule, ...]:
    """Return the burn-rate rules of its clock."""
    return OPEN_RULES if objective.clock == "open" else WALL_RULES


def usual_ms(objective: Objective, world: Inventory) -> int:
    """Return the length of its period on its clock, ms, in a usual week of most of its centres."""
    days = objective.days
    if objective.clock == "wall" or family(objective.scope) == "system":
        return days * DAY
    weeks = Counter((centre.hours, centre.zone) for centre in covered(objective, world) if not centre.imported)
    return days * _week_ms(*weeks.most_common(1)[0][0]) // 7 if weeks else days * DAY


def covered(objective: Objective, world: Inventory) -> list[Centre]:
    """Return the centres in whose opening hours an objective counts; none for systems."""
    kind, _, ident = objective.scope.partition(":")
    if ident:
        owner = world.devices[ident].centre if kind == "device" and ident in world.devices else ident
        return [world.centres[owner]] if owner in world.centres else []
    if kind in FAMILIES and FAMILIES[kind] == "device":
        homes = {one.centre for one in world.devices.values() if kind in ("device", one.kind)}
        return [centre for name, centre in world.centres.items() if name in homes]
    return [centre for centre in world.centres.values() if kind in ("centre", centre.level)]


def _week_ms(hours: tuple[Hours, ...], zone: ZoneInfo) -> int:
    week = Calendar(hours, zone).regular_windows(Window(WEEK_FROM, WEEK_FROM + 7 * DAY))
    return sum(w.length for w in week)


def _warn_mute(r: Record, objective: Objective, world: Inventory) -> None:
    """Warn of an objective whose alerts can never come; readiness counts days, which no burn rule reads."""
    if not objective.alert or not 0 < objective.goal < 1 or objective.sli == "readiness":
        return
    period = usual_ms(objective, world)
    if any(can_fire(rule, period, objective.goal) for rule in rules(objective)):
        return
    lowest, most = min(threshold(rule, period) for rule in rules(objective)), 1 / float(slack(objective.goal))
    problem = f"no burn rule can ever fire: a full outage burns at {most:.2g}, the lowest threshold is {lowest:.2g}"
    r.warn("goal", problem, "raise the goal, shorten the period, or write alert = false")
