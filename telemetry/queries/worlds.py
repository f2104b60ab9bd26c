"""The world of one snapshot, made once for all who ask within its second; it must not read stores or clocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.fold.centre_state import capacity_devices
from telemetry.queries.network import NetworkView
from telemetry.queries.status import NetworkStatus, network_status

if TYPE_CHECKING:
    from telemetry.core.inventory import Centre, Inventory, Target
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import CentreView


@dataclass(frozen=True, slots=True)
class CachedNetworkView(NetworkView):
    """A world that joins each centre with its live row once."""

    views_by_centre: dict[str, CentreView] = field(default_factory=dict, compare=False, repr=False)
    statuses: list[NetworkStatus] = field(default_factory=list, compare=False, repr=False)

    def centre_view(self, centre: Centre) -> CentreView:
        """Join a centre's declaration with its live row."""
        view = self.views_by_centre.get(centre.id)
        if view is None:
            view = self.views_by_centre[centre.id] = NetworkView.centre_view(self, centre)
        return view

    def status(self, target: Target | None) -> NetworkStatus:
        """Look at the whole network, once for a target."""
        if not self.statuses or self.statuses[-1].target is not target:
            self.statuses.append(network_status(self, target))
        return self.statuses[-1]


class NetworkViewCache:
    """Keeps the newest world; its `now` is that of the first who asked, less than a second ago."""

    def __init__(self) -> None:
        self._cached: CachedNetworkView | None = None
        self._cached_capacity_centres: tuple[Inventory, frozenset[str]] | None = None

    def get(self, inventory: Inventory, snapshot: Snapshot, now: int) -> CachedNetworkView:
        """Return the world of a snapshot, which is made anew each second."""
        cached = self._cached
        if cached is None or cached.snapshot is not snapshot or cached.inventory is not inventory:
            cached = self._cached = CachedNetworkView(inventory, snapshot, now)
        return cached

    def capacity_centres(self, inventory: Inventory) -> frozenset[str]:
        """Return the centres that have a capacity: those with critical counters or kiosks."""
        cached = self._cached_capacity_centres
        if cached is None or cached[0] is not inventory:
            centre_ids = (ident for ident in inventory.centres if capacity_devices(inventory.devices_of(ident)))
            cached = self._cached_capacity_centres = (inventory, frozenset(centre_ids))
        return cached[1]
