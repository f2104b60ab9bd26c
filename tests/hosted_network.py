"""The tests' network with the one-stop system as a hosted one, and what its probes see; it must not declare rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from telemetry.core.cloud.values import Flow
from telemetry.core.fold.live_row_types import SystemNow, VantageNow
from telemetry.core.hosted.derived_systems import complete_objectives, derive_monitoring
from telemetry.core.inventory import System
from tests.cloud_examples import ONESTOP, base_declaration, component_end, outside
from tests.program.network import NOW, Network, inventory

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration
    from telemetry.core.fold.live_row_types import AvailabilityState, DatabaseNow
    from telemetry.core.inventory import Inventory

INSIDE = "vn83-cloud-manage1"
PARTS = ("web", "app", "db")
CLOSED_PATHS = tuple(
    f"{ONESTOP}--{part}" for part in ("dmz-to-app", "dmz-to-db", "manage-out-ngsp", "server-to-db", "server-to-web")
)
"""What must be closed of the one-stop system, by id."""


def hosting(world: Inventory | None = None, cloud: CloudDeclaration | None = None) -> Inventory:
    """Return an inventory with the one-stop system, which calls NGSP, and what is derived from its declaration."""
    world, base = world or inventory(), base_declaration()
    call = Flow(component_end(ONESTOP, "app"), outside("ngsp"), 443, "shared data")
    onestop = System(
        ONESTOP, "Hệ thống một cửa điện tử", "Electronic one-stop system", "one-stop", "http",
        "https://onestop.example/", quorum=1, vantage=("vn83-a-gateway1", "vn83-b-gateway1"),
    )  # fmt: skip
    declared = replace(
        world,
        systems={**world.systems, ONESTOP: onestop},
        cloud=cloud or replace(base, flows=(*base.flows, call)),
    )
    derived = derive_monitoring(declared)
    return replace(derived, objectives=complete_objectives(derived))


def observe(net: Network, **states: AvailabilityState) -> None:
    """Put what probes see: the one-stop system from outside as `onestop`, and its components; up unless given.

    `path` is what the probe from the DMZ to the database gives: up when that is closed.
    """
    path = f"{ONESTOP}--dmz-to-db"
    net.live(path, _row(path, states.get("path", "up"), ("vn83-cloud-dmz1",)))
    for part in PARTS:
        ident = f"{ONESTOP}--{part}"
        net.live(ident, _row(ident, states.get(part, "up"), (INSIDE,)))
    outer = tuple(f"vn83-{c}-gateway1" for c in "ab")
    net.live(ONESTOP, _row(ONESTOP, states.get("onestop", "up"), outer))


def report_figures(net: Network, figures: DatabaseNow | None) -> None:
    """Put the one-stop system's database with its own figures."""
    ident = f"{ONESTOP}--db"
    net.live(ident, replace_fields(_row(ident, "up", (INSIDE,)), database=figures))


def probe(net: Network, ident: str, state: AvailabilityState, *devices: str) -> None:
    """Put what devices see of a part."""
    net.live(ident, _row(ident, state, devices))


def _row(ident: str, state: AvailabilityState, devices: tuple[str, ...]) -> SystemNow:
    error = "refused" if state == "down" else None
    seen = tuple(VantageNow(device=device, state=state, at=NOW, error=error) for device in devices)
    return SystemNow(system=ident, at=NOW, state=state, vantage=seen)
