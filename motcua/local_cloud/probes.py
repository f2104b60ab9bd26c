"""Probes the loopback servers of hosted systems in a demo, and reports for every vantage point; it decides nothing.

All vantage points of a demo are this host, so one probe of a system is reported by each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.sources.database import DatabaseSource
from edge_agent.sources.probe import Probe, ProbeSource
from telemetry.core.hosted.derived_systems import entry_components

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from motcua.local_cloud.control import LocalServer
    from telemetry.core.cloud.values import Component
    from telemetry.core.inventory import Inventory
    from telemetry.core.protocol.events import Event

DEMO_PROBE_EVERY_S = 15
"""A stopped component shows within a minute: an interval of probes and one of the pages."""


@dataclass(frozen=True, slots=True)
class LocalProbe:
    """What is asked of a system on this host, by a source of agents, and the vantage points that report it."""

    system: str
    read_once: Callable[[], Event | None]
    devices: tuple[str, ...]


def local_probes(
    inventory: Inventory, servers: Mapping[str, LocalServer], clock: Callable[[], int], speed: float
) -> list[LocalProbe]:
    """Return the probes of hosted systems (at their first entry), of their components, and databases' figures."""
    every_ms = round(DEMO_PROBE_EVERY_S * 1000 * speed)
    targets: dict[str, Component] = {}
    for ident in inventory.cloud.systems:
        targets |= {servers[c.path].node: c for c in inventory.cloud.components_of(ident) if c.path in servers}
        targets |= dict(zip((ident,), entry_components(inventory.cloud, ident), strict=False))
    probes: list[LocalProbe] = []
    for system, component in sorted(targets.items()):
        if system not in inventory.systems:
            continue
        address, devices = servers[component.path].address, inventory.systems[system].vantage
        probe = ProbeSource(_probe(system, component, address), clock, every_ms)
        probes.append(LocalProbe(system, probe.probe_once, devices))
        if inventory.systems[system].figures_target:
            figures = DatabaseSource(system, address, clock, every_ms)
            probes.append(LocalProbe(system, figures.read_once, devices))
    return probes


def _probe(system: str, component: Component, address: str) -> Probe:
    if component.health:
        return Probe(system, "http", f"http://{address}{component.health}")
    return Probe(system, "tcp", address)


def probe_all(probes: Iterable[LocalProbe]) -> dict[str, list[Event]]:
    """Ask each system once and return the results by the device that reports them."""
    events: dict[str, list[Event]] = {}
    for probe in probes:
        result = probe.read_once()
        if result is not None:
            for device in probe.devices:
                events.setdefault(device, []).append(result)
    return events
