"""Objectives as rollup last judged them, one view per scope, worst first; it must not judge again. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, cast

from telemetry.core.figures.accounting import Account
from telemetry.core.fold.live_row_types import ScopeNow
from telemetry.core.slo import aims
from telemetry.core.slo.budget import Budget, Standing, budget
from telemetry.core.slo.cells import TIME
from telemetry.core.slo.measures import Measure
from telemetry.queries.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.fold.live_row_types import SloNow
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.queries.snapshot import Snapshot

STANDINGS: tuple[Standing, ...] = ("exhausted", "at_risk", "healthy", "no_data")
"""Worst first."""
_NOTHING = ScopeNow(scope="", start=0, end=0, good=0, bad=0, standing="no_data")
_LAST = 2.0


@dataclass(frozen=True)
class Standpoint:
    """An objective at one scope; `row` is empty and `at` None as long as nobody has judged it."""

    objective: Objective
    scope: str
    row: ScopeNow
    at: int | None = None
    settled_until: int | None = None

    @cached_property
    def measure(self) -> Measure:
        """What counted as good and as bad."""
        return Measure(self.row.good, self.row.bad)

    @cached_property
    def account(self) -> Account:
        """The time by state; all zero for objectives that count something else."""
        return Account(self.row.open, self.row.up, self.row.down, self.row.unknown, self.row.excluded)

    @cached_property
    def budget(self) -> Budget:
        """What may be bad and what was: seconds, or whatever is counted."""
        seen = self.row.open or self.measure.counted
        return budget(self.objective.goal, self.row.allowance if self.row.allowance is not None else seen, self.row.bad)

    @property
    def standing(self) -> Standing:
        """Return how it stands, in one word."""
        return cast("Standing", self.row.standing)

    @property
    def in_seconds(self) -> bool:
        """Tell whether it counts time."""
        return self.objective.sli in TIME

    @property
    def key(self) -> tuple[float, str, str]:
        """Return what it is sorted by: the share of its budget that is left, what has no budget last."""
        left = self.budget.remaining_ratio
        return (_LAST if left is None else left, self.objective.id, self.scope)


@dataclass(frozen=True)
class Objectives:
    """All objectives of one inventory as judged in one snapshot."""

    declared: Mapping[str, Objective]
    judged: Mapping[str, SloNow]
    scopes: Mapping[str, tuple[str, ...]]
    version: str = ""
    _orders: dict[str, tuple[Standpoint, ...]] = field(default_factory=dict, repr=False, compare=False)

    def one(self, ident: str) -> Objective:
        """Return a declared objective; raises Unknown."""
        if ident not in self.declared:
            kind = "slo"
            raise Unknown(kind, ident)
        return self.declared[ident]

    @cached_property
    def unordered(self) -> tuple[Standpoint, ...]:
        """Everything, by objective; no budget is reckoned for it."""
        return tuple(s for objective in self.declared.values() for s in self._of(objective))

    @cached_property
    def all(self) -> tuple[Standpoint, ...]:
        """Everything, least budget left first."""
        return _ordered(self.unordered)

    def _of(self, objective: Objective) -> Iterable[Standpoint]:
        now = self.judged.get(objective.id)
        rows = {row.scope: row for row in now.scopes} if now else {}
        for scope in self.scopes.get(objective.id, ()):
            row = rows.get(scope)
            if now is None or row is None:
                yield Standpoint(objective, scope, _NOTHING)
            else:
                yield Standpoint(objective, scope, row, now.at, now.settled_until)

    @cached_property
    def _by_slo(self) -> Mapping[str, Sequence[Standpoint]]:
        return _grouped(self.unordered, lambda s: s.objective.id)

    @cached_property
    def _by_scope(self) -> Mapping[str, Sequence[Standpoint]]:
        return _grouped(self.unordered, lambda s: s.scope)

    def of(self, slo: str) -> tuple[Standpoint, ...]:
        """Return an objective's standpoints, least budget left first."""
        if slo not in self._orders:
            self._orders[slo] = _ordered(self._by_slo.get(slo, ()))
        return self._orders[slo]

    def at(self, scope: str) -> tuple[Standpoint, ...]:
        """Return a scope's standpoints, least budget left first."""
        return _ordered(self._by_scope.get(scope, ()))

    def find(self, ident: str, scope: str) -> Standpoint:
        """Return one objective at one scope; raises Unknown when it does not hold there."""
        self.one(ident)
        for found in self._by_scope.get(scope, ()):
            if found.objective.id == ident:
                return found
        kind = "scope"
        raise Unknown(kind, scope)

    def worst(self, scope: str) -> Standpoint | None:
        """Return the standpoint of a scope that stands worst, None when there is none."""
        return min(self._by_scope.get(scope, ()), key=lambda s: (STANDINGS.index(s.standing), s.key), default=None)

    @cached_property
    def counts(self) -> Mapping[Standing, int]:
        """How many standpoints there are of each standing."""
        return counted(self.unordered)


def counted(found: Iterable[Standpoint]) -> Mapping[Standing, int]:
    """Count by standing, zeros included."""
    seen = Counter(s.standing for s in found)
    return {word: seen[word] for word in STANDINGS}


def summed(found: Iterable[Standpoint]) -> tuple[Account, Measure]:
    """Add what was counted over scopes: sums add, ratios do not."""
    rows = [s.row for s in found]
    parts = (sum(getattr(row, name) for row in rows) for name in ("open", "up", "down", "unknown", "excluded"))
    return Account(*parts), Measure(sum(r.good for r in rows), sum(r.bad for r in rows))


def _grouped(found: Iterable[Standpoint], key: Callable[[Standpoint], str]) -> dict[str, list[Standpoint]]:
    out: dict[str, list[Standpoint]] = {}
    for one in found:
        out.setdefault(key(one), []).append(one)
    return out


def _ordered(found: Iterable[Standpoint]) -> tuple[Standpoint, ...]:
    return tuple(sorted(found, key=lambda s: s.key))


def objectives(inventory: Inventory, snapshot: Snapshot, held: Objectives | None = None) -> Objectives:
    """Join what is promised with what was judged; where it is promised is taken from `held` of the same inventory."""
    declared = {o.id: o for o in inventory.objectives}
    if held is not None and held.version == inventory.version:
        return Objectives(declared, snapshot.slos, held.scopes, inventory.version)
    scopes = {o.id: tuple(aimed.scope for aimed in aims.of(o, inventory)) for o in inventory.objectives}
    return Objectives(declared, snapshot.slos, scopes, inventory.version)
