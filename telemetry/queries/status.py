"""The whole network in one value: how many of what are in which condition, and one word for it all. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from telemetry.core.figures.histograms import queueing
from telemetry.core.fold.totals import add
from telemetry.queries.views import CONDITIONS, STALE_MS, tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.figures.histograms import Queueing
    from telemetry.core.fold.live_row_types import State
    from telemetry.core.inventory import Target
    from telemetry.queries.network import World
    from telemetry.queries.views import CentreView, Condition, SystemView

Indicator = Literal["none", "minor", "major", "critical"]


@dataclass(frozen=True)
class Status:
    """The declared network now; imported logs are counted but never judged."""

    world: World
    centres: tuple[CentreView, ...]
    imported: tuple[CentreView, ...]
    systems: tuple[SystemView, ...]
    today: Queueing
    target: Target | None

    @cached_property
    def conditions(self) -> Mapping[Condition, int]:
        """Return how many declared centres are in each condition."""
        found = Counter(v.condition for v in self.centres)
        return {c: found[c] for c in CONDITIONS}

    @cached_property
    def open(self) -> int:
        """Return how many declared centres are open."""
        return sum(v.open for v in self.centres)

    @cached_property
    def devices(self) -> Mapping[State, int]:
        """Return how many devices are in each state."""
        return tally(d for v in self.centres for d in v.devices)

    @cached_property
    def system_states(self) -> Mapping[State, int]:
        """Return how many digital systems are in each state."""
        return tally(self.systems)

    @property
    def waiting(self) -> int:
        """Return how many tickets wait anywhere."""
        return sum(v.waiting for v in self.centres)

    @property
    def serving(self) -> int:
        """Return how many tickets are being served anywhere."""
        return sum(v.serving for v in self.centres)

    @property
    def counters_open(self) -> int:
        """Return how many counters are open anywhere."""
        return sum(v.counters_open for v in self.centres)

    @cached_property
    def last_data(self) -> int | None:
        """Return when anything was last heard, imported logs only when there is nothing else."""
        declared = [t for v in self.centres if (t := v.last_data) is not None]
        imported = [t for v in self.imported if (t := v.last_data) is not None]
        return max(declared or imported, default=None)

    @property
    def stale(self) -> bool:
        """Tell whether nothing at all was heard lately."""
        return self.last_data is None or self.world.now - self.last_data > STALE_MS

    @property
    def simulated(self) -> bool:
        """Tell whether any of it is simulated."""
        return self.world.inventory.simulated or any(v.simulated for v in (*self.centres, *self.imported))

    @property
    def indicator(self) -> Indicator:
        """Return one word in the status-page vocabulary."""
        found = self.conditions
        if self.open and 2 * (found["down"] + found["unknown"]) > self.open:
            return "critical"
        if found["down"] or any(s.state == "down" and s.system.critical for s in self.systems):
            return "major"
        shaky = found["degraded"] + found["unknown"] + len(self.systems) - self.system_states["up"]
        return "minor" if shaky else "none"


def status(world: World, target: Target | None) -> Status:
    """Look at the whole network."""
    centres = tuple(world.declared())
    today = queueing(add(v.sums for v in centres))
    return Status(world, centres, tuple(world.imported()), tuple(world.systems()), today, target)


def worst_first(views: Sequence[CentreView]) -> list[CentreView]:
    """Order centres by condition, then by how many people wait."""
    return sorted(views, key=lambda v: (CONDITIONS.index(v.condition), -v.waiting, v.centre.id))
