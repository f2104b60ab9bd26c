"""The whole network in one value: how many of what are in which condition, and one word for it all. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import add_sums
from telemetry.queries.views import CONDITIONS_WORST_FIRST, STALE_MS, count_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.inventory import Target
    from telemetry.queries.network import NetworkView
    from telemetry.queries.views import CentreCondition, CentreView, SystemView

StatusIndicator = Literal["none", "minor", "major", "critical"]


@dataclass(frozen=True)
class NetworkStatus:
    """The declared network now; imported logs are counted but never judged."""

    network: NetworkView
    centres: tuple[CentreView, ...]
    imported: tuple[CentreView, ...]
    systems: tuple[SystemView, ...]
    today: QueueFigures
    target: Target | None

    @cached_property
    def conditions(self) -> Mapping[CentreCondition, int]:
        """Return how many declared centres are in each condition."""
        counts = Counter(v.condition for v in self.centres)
        return {c: counts[c] for c in CONDITIONS_WORST_FIRST}

    @cached_property
    def open_centres(self) -> int:
        """Return how many declared centres are open."""
        return sum(v.open for v in self.centres)

    @cached_property
    def devices(self) -> Mapping[AvailabilityState, int]:
        """Return how many devices are in each state."""
        return count_states(d for v in self.centres for d in v.devices)

    @cached_property
    def system_states(self) -> Mapping[AvailabilityState, int]:
        """Return how many digital systems are in each state."""
        return count_states(self.systems)

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
        return self.last_data is None or self.network.now - self.last_data > STALE_MS

    @property
    def simulated(self) -> bool:
        """Tell whether any of it is simulated."""
        return self.network.inventory.simulated or any(v.simulated for v in (*self.centres, *self.imported))

    @property
    def indicator(self) -> StatusIndicator:
        """Return one word in the status-page vocabulary."""
        counts = self.conditions
        if self.open_centres and 2 * (counts["down"] + counts["unknown"]) > self.open_centres:
            return "critical"
        if counts["down"] or any(s.state == "down" and s.system.critical for s in self.systems):
            return "major"
        impaired = counts["degraded"] + counts["unknown"] + len(self.systems) - self.system_states["up"]
        return "minor" if impaired else "none"


def network_status(network: NetworkView, target: Target | None) -> NetworkStatus:
    """Look at the whole network."""
    centres = tuple(network.declared_centres())
    today = queue_figures(add_sums(v.today_sums for v in centres))
    return NetworkStatus(network, centres, tuple(network.imported_centres()), tuple(network.systems()), today, target)


def sort_worst_first(views: Sequence[CentreView]) -> list[CentreView]:
    """Order centres by condition, then by how many people wait."""
    return sorted(views, key=lambda v: (CONDITIONS_WORST_FIRST.index(v.condition), -v.waiting, v.centre.id))
