"""The world of one snapshot, made once for all who ask within its second; it must not read stores or clocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.fold.centre_state import staffed
from telemetry.queries.network import World
from telemetry.queries.status import Status, status

if TYPE_CHECKING:
    from telemetry.core.inventory import Centre, Inventory, Target
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import CentreView


@dataclass(frozen=True, slots=True)
class SharedWorld(World):
    """A world that joins each centre with its live row once."""

    seen: dict[str, CentreView] = field(default_factory=dict, compare=False, repr=False)
    summed: list[Status] = field(default_factory=list, compare=False, repr=False)

    def view(self, centre: Centre) -> CentreView:
        """Join a centre's declaration with its live row."""
        found = self.seen.get(centre.id)
        if found is None:
            found = self.seen[centre.id] = World.view(self, centre)
        return found

    def status(self, target: Target | None) -> Status:
        """Look at the whole network, once for a target."""
        if not self.summed or self.summed[-1].target is not target:
            self.summed.append(status(self, target))
        return self.summed[-1]


class Worlds:
    """Keeps the newest world; its `now` is that of the first who asked, less than a second ago."""

    def __init__(self) -> None:
        self._held: SharedWorld | None = None
        self._staffed: tuple[Inventory, frozenset[str]] | None = None

    def of(self, inventory: Inventory, snapshot: Snapshot, now: int) -> SharedWorld:
        """Return the world of a snapshot, which is made anew each second."""
        held = self._held
        if held is None or held.snapshot is not snapshot or held.inventory is not inventory:
            held = self._held = SharedWorld(inventory, snapshot, now)
        return held

    def staffed(self, inventory: Inventory) -> frozenset[str]:
        """Return the centres that have a capacity: those with critical counters or kiosks."""
        held = self._staffed
        if held is None or held[0] is not inventory:
            found = (ident for ident in inventory.centres if staffed(inventory.devices_of(ident)))
            held = self._staffed = (inventory, frozenset(found))
        return held[1]
