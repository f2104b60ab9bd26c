"""Probes the loopback servers of hosted systems in a demo, and reports for every vantage point; it decides nothing.

All vantage points of a demo are this host, so one probe of a system is reported by each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """A probe of a system on this host, and the vantage points that report it."""

    source: ProbeSource
    devices: tuple[str, ...]


def local_probes(
    inventory: Inventory, servers: Mapping[str, LocalServer], clock: Callable[[], int], speed: float
) -> list[LocalProbe]:
    """Return the probes of hosted systems (at their first entry) and of their components."""
    every_ms = round(DEMO_PROBE_EVERY_S * 1000 * speed)
    targets: dict[str, Component] = {}
    for ident in inventory.cloud.systems:
        targets |= {servers[c.path].node: c for c in inventory.cloud.components_of(ident) if c.path in servers}
        targets |= dict(zip((ident,), entry_components(inventory.cloud, ident), strict=False))
    return [
        LocalProbe(
            ProbeSource(_probe(system, component, servers[component.path].address), clock, every_ms),
            inventory.systems[system].vantage,
        )
        for system, component in sorted(targets.items())
        if system in inventory.systems
    ]


def _probe(system: str, component: Component, address: str) -> Probe:
    if component.health:
        return Probe(system, "http", f"http://{address}{component.health}")
    return Probe(system, "tcp", address)


def probe_all(probes: Iterable[LocalProbe]) -> dict[str, list[Event]]:
    """Probe each system once and return the results by the device that reports them."""
    events: dict[str, list[Event]] = {}
    for probe in probes:
        result = probe.source.probe_once()
        for device in probe.devices:
            events.setdefault(device, []).append(result)
    return events
