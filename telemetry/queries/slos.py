"""Objectives as rollup last evaluated them, one value per scope, worst first; it must not evaluate again. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from telemetry.core.figures.accounting import (
    CoveredRatio,
    TimeByState,
    covered_ratio,
    sum_times,
)
from telemetry.core.fold.live_row_types import ScopedSloNow, SloState
from telemetry.core.inventory import DEFAULT_COVERAGE_FLOOR
from telemetry.core.slo.budget import ErrorBudget, error_budget
from telemetry.core.slo.evaluation import scopes_of
from telemetry.core.slo.sli import TIME_SLIS, GoodBad
from telemetry.queries.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.fold.live_row_types import SloNow
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.queries.snapshot import Snapshot

SLO_STATES: tuple[SloState, ...] = ("exhausted", "at_risk", "healthy", "no_data")
"""Worst first."""
_NOT_EVALUATED = ScopedSloNow(scope="", start=0, end=0, good=0, bad=0, standing="no_data")
_SORT_LAST = 2.0


@dataclass(frozen=True)
class ScopedSlo:
    """An objective at one scope; until rollup evaluates it `row` is empty and `evaluated_at` None."""

    objective: Objective
    scope: str
    row: ScopedSloNow
    evaluated_at: int | None = None
    settled_until: int | None = None
    coverage_floor: float = DEFAULT_COVERAGE_FLOOR

    @cached_property
    def good_bad(self) -> GoodBad:
        """What counted as good and as bad."""
        return GoodBad(self.row.good, self.row.bad)

    @cached_property
    def account(self) -> TimeByState:
        """The time by state; all zero for objectives that count something else."""
        row = self.row
        return TimeByState(row.up, row.down, row.unknown, row.excluded, not_in_service=row.not_in_service)

    @cached_property
    def ratio(self) -> CoveredRatio:
        """The share of what counted that was good, with its bounds, judged by the coverage floor."""
        return covered_ratio(self.good_bad.ratio, self.account, self.coverage_floor)

    @cached_property
    def budget(self) -> ErrorBudget:
        """What may be bad and what was: seconds, or whatever is counted."""
        counted = self.row.open or self.good_bad.total
        return error_budget(self.objective.goal, counted, self.row.bad, self.row.allowance)

    @property
    def slo_state(self) -> SloState:
        """Return the SLO state."""
        return self.row.standing

    @property
    def in_seconds(self) -> bool:
        """Return whether it counts time."""
        return self.objective.sli in TIME_SLIS

    @property
    def sort_key(self) -> tuple[float, str, str]:
        """Return the sort key: the remaining share of the budget; without a budget last."""
        remaining_ratio = self.budget.remaining_ratio
        return (_SORT_LAST if remaining_ratio is None else remaining_ratio, self.objective.id, self.scope)


@dataclass(frozen=True)
class SloIndex:
    """All objectives of one inventory as evaluated in one snapshot."""

    declared: Mapping[str, Objective]
    evaluations: Mapping[str, SloNow]
    scopes_by_slo: Mapping[str, tuple[str, ...]]
    inventory_version: str = ""
    coverage_floor: float = DEFAULT_COVERAGE_FLOOR
    _sorted_by_slo: dict[str, tuple[ScopedSlo, ...]] = field(default_factory=dict, repr=False, compare=False)

    def objective(self, ident: str) -> Objective:
        """Return a declared objective; raises NotFound."""
        if ident not in self.declared:
            raise NotFound(ident, "slo")
        return self.declared[ident]

    @cached_property
    def unsorted_slos(self) -> tuple[ScopedSlo, ...]:
        """Every objective at every scope, by objective; no budget is computed."""
        return tuple(s for objective in self.declared.values() for s in self._scoped_slos(objective))

    @cached_property
    def sorted_slos(self) -> tuple[ScopedSlo, ...]:
        """Every objective at every scope, least budget left first."""
        return _sort_by_budget(self.unsorted_slos)

    def _scoped_slos(self, objective: Objective) -> Iterable[ScopedSlo]:
        evaluation = self.evaluations.get(objective.id)
        rows = {row.scope: row for row in evaluation.scopes} if evaluation else {}
        for scope in self.scopes_by_slo.get(objective.id, ()):
            row = rows.get(scope)
            if evaluation is None or row is None:
                yield ScopedSlo(objective, scope, _NOT_EVALUATED, coverage_floor=self.coverage_floor)
            else:
                at, settled_until = evaluation.at, evaluation.settled_until
                yield ScopedSlo(objective, scope, row, row.judged_at or at, settled_until, self.coverage_floor)

    @cached_property
    def _by_slo(self) -> Mapping[str, Sequence[ScopedSlo]]:
        return _group_by(self.unsorted_slos, lambda s: s.objective.id)

    @cached_property
    def _by_scope(self) -> Mapping[str, Sequence[ScopedSlo]]:
        return _group_by(self.unsorted_slos, lambda s: s.scope)

    def for_slo(self, slo: str) -> tuple[ScopedSlo, ...]:
        """Return an objective at all its scopes, least budget left first."""
        if slo not in self._sorted_by_slo:
            self._sorted_by_slo[slo] = _sort_by_budget(self._by_slo.get(slo, ()))
        return self._sorted_by_slo[slo]

    def at_scope(self, scope: str) -> tuple[ScopedSlo, ...]:
        """Return a scope's objectives, least budget left first."""
        return _sort_by_budget(self._by_scope.get(scope, ()))

    def find(self, ident: str, scope: str) -> ScopedSlo:
        """Return one objective at one scope; raises NotFound when it does not apply there."""
        self.objective(ident)
        for scoped_slo in self._by_scope.get(scope, ()):
            if scoped_slo.objective.id == ident:
                return scoped_slo
        raise NotFound(scope, "scope")

    def worst_at(self, scope: str) -> ScopedSlo | None:
        """Return a scope's objective in the worst state, None when there is none."""
        return min(
            self._by_scope.get(scope, ()), key=lambda s: (SLO_STATES.index(s.slo_state), s.sort_key), default=None
        )

    @cached_property
    def state_counts(self) -> Mapping[SloState, int]:
        """How many objectives at scopes are in each state."""
        return count_slo_states(self.unsorted_slos)


def count_slo_states(slos: Iterable[ScopedSlo]) -> Mapping[SloState, int]:
    """Count by state, zeros included."""
    counts = Counter(s.slo_state for s in slos)
    return {slo_state: counts[slo_state] for slo_state in SLO_STATES}


def sum_slos(slos: Iterable[ScopedSlo]) -> tuple[TimeByState, GoodBad]:
    """Add time and counts over scopes: sums add, ratios do not."""
    known = tuple(slos)
    counted = GoodBad(sum(slo.row.good for slo in known), sum(slo.row.bad for slo in known))
    return sum_times(slo.account for slo in known), counted


def _group_by(slos: Iterable[ScopedSlo], key: Callable[[ScopedSlo], str]) -> dict[str, list[ScopedSlo]]:
    groups: dict[str, list[ScopedSlo]] = {}
    for slo in slos:
        groups.setdefault(key(slo), []).append(slo)
    return groups


def _sort_by_budget(slos: Iterable[ScopedSlo]) -> tuple[ScopedSlo, ...]:
    return tuple(sorted(slos, key=lambda s: s.sort_key))


def build_slo_index(inventory: Inventory, snapshot: Snapshot, previous: SloIndex | None = None) -> SloIndex:
    """Join objectives with their evaluations; scopes come from `previous` if its inventory is the same."""
    declared = {o.id: o for o in inventory.objectives}
    if previous is not None and previous.inventory_version == inventory.version:
        scopes = previous.scopes_by_slo
    else:
        scopes = {o.id: tuple(scoped.scope for scoped in scopes_of(o, inventory)) for o in inventory.objectives}
    return SloIndex(declared, snapshot.slos, scopes, inventory.version, inventory.coverage_floor)
