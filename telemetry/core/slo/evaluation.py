"""An objective at its scopes, and its status at one moment: SLI, budget, burn rates, state; it reads no store. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.scope import Scope
from telemetry.core.slo.budget import ErrorBudget, classify_slo_state, error_budget, predict_exhaustion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.fold.live_row_types import SloState
    from telemetry.core.inventory import Centre, Inventory, Objective
    from telemetry.core.slo.burn_rate import BurnRate
    from telemetry.core.slo.sli import GoodBad, TimeResult

CENTRE_LEVELS = ("centre", "province", "district", "commune")


@dataclass(frozen=True, slots=True)
class ScopedObjective:
    """An objective at one scope (`centre:ID`, `device:ID`, `system:ID`); its totals are folded under `entity`.

    `centre` is where it happens, None for a digital system; `every_ms` is the interval of its reports.
    """

    objective: Objective
    scope: Scope
    entity: str
    centre: Centre | None
    every_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class ObjectiveStatus:
    """An objective's figures over its period; `account` is None for objectives that count tickets.

    `good_bad` and `budget` are in seconds or in tickets.
    """

    goal: float
    good_bad: GoodBad
    budget: ErrorBudget
    slo_state: SloState
    burn_rates: tuple[BurnRate, ...] = ()
    account: TimeByState | None = None
    exhausts_at: int | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The status at `at` (Unix ms) over `window`; `is_open`: whether the objective's clock ran at `at`.

    `is_stale`: hours of its entity waited to be folded at the last evaluation, so this one is an earlier one, or
    without those hours.
    """

    scoped: ScopedObjective
    at: int
    window: Window
    is_open: bool
    status: ObjectiveStatus
    period_open_s: int | None = None
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class StatusContext:
    """What a status adds to the figures of its period.

    `period_total` is all that counts in the period when that is more than what has passed (a calendar month's open
    seconds including future ones), else None.  `recent_error_ratio` predicts when the budget is exhausted.
    """

    period_total: int | None = None
    burn_rates: tuple[BurnRate, ...] = ()
    previous_state: SloState = "no_data"
    recent_error_ratio: float | None = None


def scoped_objectives(inventory: Inventory) -> tuple[ScopedObjective, ...]:
    """Return every objective at every scope it is declared for, by objective and scope."""
    return tuple(scoped for objective in inventory.objectives for scoped in scopes_of(objective, inventory))


def scopes_of(objective: Objective, inventory: Inventory) -> list[ScopedObjective]:
    """Return one objective at its scopes, by scope; a scope that is named but not declared has none."""
    kind: str = Scope(objective.scope).kind
    if kind in CENTRE_LEVELS:
        scoped = _at_centres(objective, inventory)
    elif kind == "system":
        scoped = _at_systems(objective, inventory)
    else:
        scoped = _at_devices(objective, inventory)
    return sorted(scoped, key=lambda s: s.scope)


def _at_centres(objective: Objective, inventory: Inventory) -> Iterator[ScopedObjective]:
    level, ident = str(Scope(objective.scope).kind), Scope(objective.scope).id
    for centre in inventory.centres.values():
        if not centre.imported and ident in ("", centre.id) and level in ("centre", centre.level):
            intervals = [d.every_ms for d in inventory.devices_of(centre.id) if d.critical and d.kind != "replay"]
            yield ScopedObjective(objective, Scope.centre(centre.id), centre.id, centre, min(intervals, default=60_000))


def _at_systems(objective: Objective, inventory: Inventory) -> Iterator[ScopedObjective]:
    """Without an id: systems but no parts of them, those of a level with their components, or parts of a kind.

    A system with an objective of its own for the same indicator is left out of that of its level.
    """
    ident = Scope(objective.scope).id
    own = {Scope(o.scope).id for o in inventory.objectives if o.sli == objective.sli} if objective.level else set()
    for system in inventory.systems.values():
        is_meant = ident == system.id if ident else not system.part_of
        if not ident and objective.part_kind:
            is_meant = system.kind == objective.part_kind
        elif not ident and objective.level:
            is_meant = system.level == objective.level and system.id not in own
        if is_meant:
            yield ScopedObjective(objective, Scope.system(system.id), system.id, None, system.every_ms)


def _at_devices(objective: Objective, inventory: Inventory) -> Iterator[ScopedObjective]:
    kind, ident = str(Scope(objective.scope).kind), Scope(objective.scope).id
    for device in inventory.devices.values():
        centre = inventory.centres.get(device.centre)
        if centre is None or centre.imported or device.kind == "replay":
            continue
        if ident in ("", device.id) and kind in ("device", device.kind):
            yield ScopedObjective(objective, Scope.device(device.id), device.centre, centre, device.every_ms)


def time_status(
    goal: float, result: TimeResult, context: StatusContext, timeline: OpenTimeline, now: int
) -> ObjectiveStatus:
    """Return the status of an objective that counts time; its budget is in seconds: (1 − goal) · open."""
    good_bad = result.good_bad
    budget = error_budget(goal, result.account.open, good_bad.bad, context.period_total)
    slo_state = classify_slo_state(budget, good_bad.total, context.previous_state)
    exhausts_at = predict_exhaustion(budget, context.recent_error_ratio, timeline, now)
    return ObjectiveStatus(goal, good_bad, budget, slo_state, context.burn_rates, result.account, exhausts_at)


def ticket_status(
    goal: float, good_bad: GoodBad, burn_rates: Sequence[BurnRate] = (), previous: SloState = "no_data"
) -> ObjectiveStatus:
    """Return the status of an objective that counts tickets or days; its budget is in them: (1 − goal) · counted."""
    budget = error_budget(goal, good_bad.total, good_bad.bad)
    slo_state = classify_slo_state(budget, good_bad.total, previous)
    return ObjectiveStatus(goal, good_bad, budget, slo_state, tuple(burn_rates))
