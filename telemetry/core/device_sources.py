"""Decides which sources of events a device's agent has, from all declarations. Pure; it must not check them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.inventory import Device, Inventory, SourceDeclaration, SourceValue, System


DERIVED_KINDS = frozenset({"host", "probe", "database"})
"""What a device has by the declarations of devices and systems: a source of these kinds only changes settings."""
SYSTEM_KINDS = DERIVED_KINDS - {"host"}


@dataclass(frozen=True, slots=True)
class DeviceSource:
    """One source of one device's agent; `declaration` is None for a source that every such device has."""

    kind: str
    settings: Mapping[str, SourceValue]
    declaration: SourceDeclaration | None = None


def sources_of(inventory: Inventory, device: Device) -> tuple[DeviceSource, ...]:
    """Return the device's sources: heartbeats, the probes of the systems that it observes, and what is declared.

    A declaration of the heartbeat, a probe or figures changes its settings, any other replaces the one of its name.
    """
    systems = (system for system in inventory.systems.values() if device.id in system.vantage)
    sources = default_sources(device, systems)
    for declaration in inventory.sources:
        if declaration.is_for(device):
            _apply(declaration, sources)
    return tuple(sources.values())


def default_sources(device: Device, systems: Iterable[System]) -> dict[str, DeviceSource]:
    """Return the sources that need no declaration, by name: the heartbeat, probes and figures of `systems`."""
    heartbeat = DeviceSource("host", {"every_ms": device.every_ms})
    observed = tuple(systems)
    probes = {f"probe:{system.id}": DeviceSource("probe", probe_of(system)) for system in observed}
    figures = {
        f"database:{system.id}": DeviceSource("database", figures_of(system))
        for system in observed
        if system.figures_target
    }
    return {"host": heartbeat, **probes, **figures}


def probe_of(system: System) -> dict[str, SourceValue]:
    """Return the settings of a system's probe, as the system is declared."""
    return {"system": system.id, "probe": system.probe, "target": system.target, "every_ms": system.every_ms}


def figures_of(system: System) -> dict[str, SourceValue]:
    """Return the settings by which a database's own figures are read."""
    return {"system": system.id, "target": system.figures_target, "every_ms": system.every_ms}


def inherited_settings(kind: str, system: System | None) -> dict[str, SourceValue]:
    """Return what the declaration of a system gives to a source of this kind, which may change it."""
    if system is None:
        return {}
    if kind == "database":
        return figures_of(system) if system.figures_target else {}
    return probe_of(system) if kind == "probe" else {}


def _apply(declaration: SourceDeclaration, sources: dict[str, DeviceSource]) -> None:
    """Replace or remove the source of that name; a probe of a system that is not observed is left out."""
    earlier = sources.get(declaration.name)
    if not declaration.enabled:
        sources.pop(declaration.name, None)
    elif declaration.kind not in DERIVED_KINDS:
        sources[declaration.name] = DeviceSource(declaration.kind, declaration.settings, declaration)
    elif earlier is not None:
        settings = {**earlier.settings, **declaration.settings}
        sources[declaration.name] = DeviceSource(declaration.kind, settings, declaration)
