"""Administrative units now: the centres in each and below it, their condition and sums. Pure; it must not read stores.

A unit's condition is decided by the rule for networks (`telemetry.core.figures.condition.assess_network`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from telemetry.core.figures.condition import CONDITIONS_WORST_FIRST, NetworkFacts, assess_network
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import add_sums
from telemetry.queries.errors import NotFound
from telemetry.queries.network import sort_worst_first
from telemetry.queries.views import STALE_MS, count_states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.core.figures.condition import Condition
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.inventory import AdministrativeUnit, Inventory
    from telemetry.queries.network import NetworkView
    from telemetry.queries.views import CentreView

IN_TROUBLE: frozenset[Condition] = frozenset({"down", "overloaded", "unknown", "degraded"})
"""The conditions of a centre that needs somebody."""


@dataclass(frozen=True)
class UnitView:
    """A unit with its own centres and the units directly below it; `now` is Unix ms."""

    unit: AdministrativeUnit
    own_centres: tuple[CentreView, ...]
    children: tuple[UnitView, ...]
    now: int

    @cached_property
    def centres(self) -> tuple[CentreView, ...]:
        """All centres in the unit and below it, worst first."""
        below = (view for child in self.children for view in child.centres)
        return tuple(sort_worst_first([*self.own_centres, *below]))

    @cached_property
    def last_data(self) -> int | None:
        """When data of any of its centres last arrived, Unix ms."""
        return max((t for v in self.centres if (t := v.last_data) is not None), default=None)

    @cached_property
    def condition(self) -> Condition:
        """The condition of its centres together."""
        is_stale = self.last_data is None or self.now - self.last_data > STALE_MS
        return assess_network(NetworkFacts([v.assessment for v in self.centres], (), is_stale)).condition

    @cached_property
    def conditions(self) -> Mapping[Condition, int]:
        """How many of its centres are in each condition."""
        counts = Counter(v.condition for v in self.centres)
        return {c: counts[c] for c in CONDITIONS_WORST_FIRST}

    @property
    def in_trouble(self) -> int:
        """How many of its centres need somebody."""
        return sum(self.conditions[c] for c in IN_TROUBLE)

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return sum(v.waiting for v in self.centres)

    @property
    def serving(self) -> int:
        """How many tickets are being served."""
        return sum(v.serving for v in self.centres)

    @property
    def counters(self) -> int:
        """How many counters its centres have."""
        return sum(v.centre.counters for v in self.centres)

    @property
    def counters_open(self) -> int:
        """How many counters are open."""
        return sum(v.counters_open for v in self.centres)

    @cached_property
    def devices(self) -> Mapping[AvailabilityState, int]:
        """How many devices are in each state."""
        return count_states(d for v in self.centres for d in v.devices_in_service)

    @cached_property
    def today(self) -> QueueFigures:
        """Today's queue figures over its centres."""
        return queue_figures(add_sums(v.today_sums for v in self.centres))


@dataclass(frozen=True, slots=True)
class UnitTree:
    """The units that no other declared unit contains, by code, and the centres that are in no declared unit."""

    roots: tuple[UnitView, ...]
    unplaced: tuple[CentreView, ...]

    def find(self, code: str) -> UnitView:
        """Return a unit anywhere in the tree; raises NotFound."""
        for view in self.all_units():
            if view.unit.code == code:
                return view
        raise NotFound(code, "unit")

    def all_units(self) -> Iterator[UnitView]:
        """Yield every unit once."""
        unvisited = list(self.roots)
        while unvisited:
            view = unvisited.pop()
            yield view
            unvisited.extend(view.children)

    @property
    def districts(self) -> tuple[UnitView, ...]:
        """The units that contain others and are not at the top, outer ones first."""
        return tuple(self._containers(child for root in self.roots for child in root.children))

    def _containers(self, views: Iterable[UnitView]) -> list[UnitView]:
        containers = [view for view in views if view.children]
        return [*containers, *(inner for view in containers for inner in self._containers(view.children))]


def build_unit_tree(network: NetworkView) -> UnitTree:
    """Join the units with the declared centres; a unit whose parents form a circle is a root once."""
    inventory = network.inventory
    centres_by_unit: dict[str, list[CentreView]] = {}
    for view in network.declared_centres():
        centres_by_unit.setdefault(view.centre.unit, []).append(view)
    builder = _TreeBuilder(inventory, centres_by_unit, network.now)
    roots = tuple(builder.build(code) for code in builder.root_codes())
    circles = tuple(builder.build(code) for code in sorted(inventory.units) if code not in builder.passed)
    unplaced = [v for unit, views in centres_by_unit.items() if unit not in inventory.units for v in views]
    return UnitTree((*roots, *circles), tuple(sort_worst_first(unplaced)))


class _TreeBuilder:
    def __init__(self, inventory: Inventory, centres_by_unit: Mapping[str, Sequence[CentreView]], now: int) -> None:
        self._units, self._centres, self._now = inventory.units, centres_by_unit, now
        self.passed: set[str] = set()
        self._children: dict[str, list[str]] = {}
        for code, unit in sorted(inventory.units.items()):
            self._children.setdefault(unit.parent, []).append(code)

    def root_codes(self) -> list[str]:
        return [code for code, unit in sorted(self._units.items()) if unit.parent not in self._units]

    def build(self, code: str) -> UnitView:
        self.passed.add(code)
        children = tuple(self.build(c) for c in self._children.get(code, ()) if c not in self.passed)
        return UnitView(self._units[code], tuple(sort_worst_first(self._centres.get(code, ()))), children, self._now)
