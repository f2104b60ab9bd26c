"""Builds the service level objectives of objectives.toml and checks that each of them can work.

Faults and warnings go to the records; it must not read files and must not compute any figure.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast, get_args

from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.fold.histogram_buckets import LATENCY_BOUNDS_MS
from telemetry.core.fold.totals import SERVICE_LEVEL_THRESHOLDS_S
from telemetry.core.inventory import Objective, ObjectivePeriod, ObjectiveUnknownPolicy, SliKind
from telemetry.core.scope import Scope
from telemetry.core.slo.budget import error_budget_ratio
from telemetry.core.slo.burn_rate import OPEN_CLOCK_RULES, WALL_CLOCK_RULES, burn_rate_threshold, can_fire
from telemetry.inventory.build import DEVICE_KINDS, UNIT_LEVELS, index_by
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import OpeningHours
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.core.slo.burn_rate import BurnRateRule
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

OBJECTIVE_KEYS = AllowedKeys(
    ("id", "name_vi", "name_en", "scope", "sli", "goal"),
    ("days", "period", "clock", "unknown", "alert", "threshold_s", "threshold_ms"),
)
SLIS: tuple[SliKind, ...] = get_args(SliKind)
PERIODS: tuple[ObjectivePeriod, ...] = get_args(ObjectivePeriod)
POLICIES: tuple[ObjectiveUnknownPolicy, ...] = get_args(ObjectiveUnknownPolicy)
PERIOD_MAX_DAYS: Mapping[ObjectivePeriod, int] = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""The most days a calendar period has; an objective with such a period has that many days."""
CENTRE_SCOPES, DEVICE_SCOPES = ("centre", *UNIT_LEVELS), ("device", *DEVICE_KINDS)
SCOPE_KINDS = dict.fromkeys(CENTRE_SCOPES, "centre") | dict.fromkeys(DEVICE_SCOPES, "device") | {"system": "system"}
"""The kind of entity of a scope, by the word before its id."""
SLI_SCOPE_KINDS: Mapping[SliKind, tuple[str, ...]] = {
    "availability": ("centre", "device", "system"),
    "connectivity": ("centre", "device"),
    "readiness": ("centre",),
    "wait": ("centre",),
    "latency": ("system",),
}
"""The kinds of entities that an SLI is measured of."""
TIME_SLIS: tuple[SliKind, ...] = ("availability", "connectivity", "readiness")
"""SLIs with unknown time (or days); the others count tickets and probes."""
THRESHOLDS: Mapping[SliKind, tuple[str, int, tuple[int, ...]]] = {
    "wait": ("threshold_s", 1000, SERVICE_LEVEL_THRESHOLDS_S),
    "latency": ("threshold_ms", 1, LATENCY_BOUNDS_MS),
}
"""The key of an SLI's threshold, its unit in ms, and the values that the totals count."""
SAMPLE_WEEK_START = 4 * DAY
"""A Monday, 00:00 UTC: four days after Thursday, 1 January 1970."""


def scope_kind(scope: str) -> str:
    """Return the kind of entity of a scope: centre, device or system; empty when it is none."""
    return SCOPE_KINDS.get(Scope(scope).kind, "")


def default_policy(sli: SliKind) -> ObjectiveUnknownPolicy:
    """Return the default policy for unknown time: for connectivity, no contact is an outage."""
    return "down" if sli == "connectivity" else "settle"


def default_clock(scope: str) -> Literal["open", "wall"]:
    """Return the default clock: systems are used at all hours."""
    return "wall" if scope_kind(scope) == "system" else "open"


def build_objectives(doc: TomlDocument, inventory: Inventory) -> tuple[Objective, ...]:
    """Build the objectives; `inventory` has the centres, devices and systems that they may name."""
    doc.record(AllowedKeys((), ("objective",)))
    records = doc.records("objective", OBJECTIVE_KEYS)
    return tuple(index_by(records, "id", lambda r: _build_objective(r, inventory)).values())


def _build_objective(r: Record, inventory: Inventory) -> Objective:
    sli, scope = cast("SliKind", r.choice("sli", SLIS)), _parse_scope(r, inventory)
    _check_sli_fits_scope(r, sli, scope)
    period, days = _parse_period(r)
    objective = Objective(
        id=r.identifier("id"),
        name_vi=r.text("name_vi"),
        name_en=r.text("name_en"),
        scope=scope,
        sli=sli,
        goal=_parse_goal(r),
        days=days,
        clock=_parse_clock(r, sli, scope),
        threshold_ms=_parse_threshold_ms(r, sli),
        period=period,
        unknown=_parse_unknown_policy(r, sli),
        alert=r.flag("alert", default=True),
    )
    _warn_silent_alerts(r, objective, inventory)
    return objective


def _parse_scope(r: Record, inventory: Inventory) -> str:
    scope = Scope(r.text("scope"))
    kind: str = scope.kind
    declared = {"centre": inventory.centres, "device": inventory.devices, "system": inventory.systems}
    if scope != kind and kind in declared:
        r.check_reference("scope", scope.id, declared[kind], kind)
    if scope and ((scope != kind and (kind not in declared or not scope.id)) or kind not in SCOPE_KINDS):
        allowed = ", ".join((*CENTRE_SCOPES, "centre:ID", *DEVICE_SCOPES, "device:ID", "system"))
        r.add_fault("scope", f"{scope!r} is not known", f"use {allowed} or system:ID")
    return str(scope)


def _check_sli_fits_scope(r: Record, sli: SliKind, scope: str) -> None:
    kind = scope_kind(scope)
    if kind and kind not in SLI_SCOPE_KINDS[sli]:
        fitting = " or ".join(SLI_SCOPE_KINDS[sli])
        r.add_fault("sli", f"{sli} is not measured of {kind}s", f"use a scope of {fitting}s, or another sli")


def _parse_goal(r: Record) -> float:
    goal = r.real("goal", 1.0)
    if r.values.get("goal") in (0, 1):
        problem = "leaves no error budget" if goal else "requires nothing"
        r.add_fault("goal", f"{goal:g} {problem}", "write a number between 0 and 1, such as 0.995")
    return goal


def _parse_period(r: Record) -> tuple[ObjectivePeriod, int]:
    period = cast("ObjectivePeriod", r.choice("period", PERIODS, "rolling"))
    if period == "rolling":
        if "days" not in r.values:
            r.add_fault("days", "is missing", "add it, or a period of the calendar such as month")
        return period, r.integer("days", 1, 366)
    if "days" in r.values:
        r.add_fault("days", f"does not fit a period of one {period}", "remove it, or remove period")
    return period, PERIOD_MAX_DAYS[period]


def _parse_clock(r: Record, sli: SliKind, scope: str) -> Literal["open", "wall"]:
    clock = r.choice("clock", ("open", "wall"), default_clock(scope))
    if sli == "readiness" and clock == "wall":
        r.add_fault("clock", "readiness counts opening days, not hours of the wall clock", "remove it")
    return cast("Literal['open', 'wall']", clock)


def _parse_unknown_policy(r: Record, sli: SliKind) -> ObjectiveUnknownPolicy:
    if sli not in TIME_SLIS and "unknown" in r.values:
        r.add_fault("unknown", f"does not fit sli {sli}: it counts no time", "remove it")
    return cast("ObjectiveUnknownPolicy", r.choice("unknown", POLICIES, default_policy(sli)))


def _parse_threshold_ms(r: Record, sli: SliKind) -> int:
    """Return the threshold, ms; each SLI that needs one has its own key and its own values."""
    if r.values.get("sli") not in SLIS:  # a fault by itself; what its keys should be is not known
        return 0
    for other, (key, _, _) in THRESHOLDS.items():
        if (sli == other) != (key in r.values):
            r.add_fault(key, f"does not fit sli {sli}", f"give it to {other} objectives, and only to them")
    if sli not in THRESHOLDS:
        return 0
    key, unit_ms, allowed = THRESHOLDS[sli]
    value = r.integer(key, 0, 86_400_000, 0)
    if key in r.values and value not in allowed:
        r.add_fault(key, f"{value} is not counted", f"use one of {', '.join(map(str, allowed))}")
    return unit_ms * value


def burn_rules(objective: Objective) -> tuple[BurnRateRule, ...]:
    """Return the burn-rate rules of its clock."""
    return OPEN_CLOCK_RULES if objective.clock == "open" else WALL_CLOCK_RULES


def usual_period_ms(objective: Objective, inventory: Inventory) -> int:
    """Return the length of its period on its clock, ms, in a usual week of most of its centres."""
    days = objective.days
    if objective.clock == "wall" or scope_kind(objective.scope) == "system":
        return days * DAY
    weeks = Counter(
        (centre.hours, centre.zone) for centre in covered_centres(objective, inventory) if not centre.imported
    )
    return days * _week_open_ms(*weeks.most_common(1)[0][0]) // 7 if weeks else days * DAY


def covered_centres(objective: Objective, inventory: Inventory) -> list[Centre]:
    """Return the centres in whose opening hours an objective is measured; none for systems."""
    scope = Scope(objective.scope)
    kind, ident = cast("str", scope.kind), scope.id
    if ident:
        owner = inventory.devices[ident].centre if kind == "device" and ident in inventory.devices else ident
        return [inventory.centres[owner]] if owner in inventory.centres else []
    if kind in SCOPE_KINDS and SCOPE_KINDS[kind] == "device":
        centre_ids = {device.centre for device in inventory.devices.values() if kind in ("device", device.kind)}
        return [centre for name, centre in inventory.centres.items() if name in centre_ids]
    return [centre for centre in inventory.centres.values() if kind in ("centre", centre.level)]


def _week_open_ms(hours: tuple[OpeningHours, ...], zone: ZoneInfo) -> int:
    week = Calendar(hours, zone).regular_windows(Window(SAMPLE_WEEK_START, SAMPLE_WEEK_START + 7 * DAY))
    return sum(w.length for w in week)


def _warn_silent_alerts(r: Record, objective: Objective, inventory: Inventory) -> None:
    """Warn of an objective whose alerts can never fire; readiness counts days, which no burn-rate rule reads."""
    if not objective.alert or not 0 < objective.goal < 1 or objective.sli == "readiness":
        return
    period = usual_period_ms(objective, inventory)
    if any(can_fire(rule, period, objective.goal) for rule in burn_rules(objective)):
        return
    lowest = min(burn_rate_threshold(rule, period) for rule in burn_rules(objective))
    most = 1 / float(error_budget_ratio(objective.goal))
    problem = f"no burn rule can ever fire: a full outage burns at {most:.2g}, the lowest threshold is {lowest:.2g}"
    r.add_warning("goal", problem, "raise the goal, shorten the period, or write alert = false")
