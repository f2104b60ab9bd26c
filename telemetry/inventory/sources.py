"""Builds the declarations of `sources.toml` and checks that every device gets sources that its agent accepts.

Faults go to the records; it must not read files and must not stop at the first fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast, get_args

from telemetry.core.device_sources import DERIVED_KINDS, SYSTEM_KINDS, inherited_settings, sources_of
from telemetry.core.inventory import DeviceKind, SourceDeclaration
from telemetry.inventory.record import AllowedKeys
from telemetry.source_settings import SOURCE_KINDS, SettingFault, find_conflicts, find_setting_faults, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import Device, Inventory, SourceValue
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

SOURCES_FILE = "sources.toml"
SELECTORS = ("device_kind", "centre", "device")
"""The keys that say which devices a source is for."""
_DEVICE_KINDS = tuple(kind for kind in get_args(DeviceKind) if kind != "replay")
_SECRET_QUERY = re.compile(r"[?&][\w.-]*(?:token|key|secret|password|passwd|auth)[\w.-]*=", re.IGNORECASE)
_TICKET_REMEDY = "declare an http, file or queue_http source for one of their devices"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One valid `[[source]]` table, what it declares and for which devices."""

    record: Record
    declaration: SourceDeclaration
    devices: tuple[Device, ...]


def build_sources(doc: TomlDocument, inventory: Inventory) -> tuple[SourceDeclaration, ...]:
    """Build the declarations in order of precedence: by kind, by centre, by kind in a centre, by device.

    `inventory` has the centres, devices and systems that they may name.
    """
    doc.record(AllowedKeys((), ("source",)))
    entries = [entry for record in _records(doc) if (entry := _build_entry(record, inventory)) is not None]
    entries.sort(key=lambda entry: _precedence(entry.declaration))
    _check_repeats(entries)
    for entry in entries:
        _check_disabled(entry, entries)
    declarations = tuple(entry.declaration for entry in entries)
    _check_devices(entries, replace(inventory, sources=declarations))
    if not doc.broken:
        _warn_missing_tickets(doc, replace(inventory, sources=declarations))
    return declarations


def _records(doc: TomlDocument) -> list[Record]:
    """Return the tables, of which the allowed keys depend on the kind."""
    tables = doc.data.get("source", [])
    every_key = (
        {key for table in tables if isinstance(table, dict) for key in table} if isinstance(tables, list) else ()
    )
    return doc.records("source", AllowedKeys((), tuple(every_key)))


def _precedence(declaration: SourceDeclaration) -> int:
    return 4 * bool(declaration.device) + 2 * bool(declaration.centre) + bool(declaration.device_kind)


def _build_entry(r: Record, inventory: Inventory) -> _Entry | None:
    """Return the entry; None when it has a fault of its own."""
    fault_count = len(r.faults)
    selected = {key: r.text(key, "") for key in SELECTORS}
    enabled = r.flag("enabled", default=True)
    settings = {key: value for key, value in r.values.items() if key not in {*SELECTORS, "enabled", "kind"}}
    kind = str(r.values.get("kind", ""))
    _check_selectors(r, selected, inventory)
    for fault in _find_own_faults(r, settings, inventory, enabled=enabled):
        r.add_fault(fault.key, fault.problem, fault.remedy)
    for key, value in settings.items():
        if _SECRET_QUERY.search(str(value)):
            r.add_fault(key, "contains a secret in the address", "write it as a header into header_file on the device")
    if kind in SYSTEM_KINDS:
        r.check_reference("system", str(settings.get("system", "")), inventory.systems, "system")
    if len(r.faults) > fault_count or _is_inventory_unread(r):
        return None
    values = cast("Mapping[str, SourceValue]", settings)
    declaration = SourceDeclaration(kind, source_name(kind, settings), values, **selected, enabled=enabled)
    devices = tuple(d for d in inventory.devices.values() if d.kind != "replay" and declaration.is_for(d))
    entry = _Entry(r, declaration, devices)
    _check_matches(entry, inventory)
    return entry


def _is_inventory_unread(r: Record) -> bool:
    """Return whether a file that sources refer to could not be read; its faults are enough."""
    return bool(r.faults.unread_files & {"centres", "devices", "systems"})


def _check_selectors(r: Record, selected: Mapping[str, str], inventory: Inventory) -> None:
    if not any(selected.values()):
        r.add_fault("kind", "is for no device", f"add {', '.join(SELECTORS[:-1])} or {SELECTORS[-1]}")
    if selected["device"] and (selected["centre"] or selected["device_kind"]):
        r.add_fault("device", "names the device already", "remove centre and device_kind")
    r.check_reference("device", selected["device"], inventory.devices, "device")
    r.check_reference("centre", selected["centre"], inventory.centres, "centre")
    if selected["device_kind"] and selected["device_kind"] not in _DEVICE_KINDS:
        r.add_fault(
            "device_kind", f"{selected['device_kind']!r} is not known", f"use one of {', '.join(_DEVICE_KINDS)}"
        )


def _find_own_faults(
    r: Record, settings: Mapping[str, object], inventory: Inventory, *, enabled: bool
) -> list[SettingFault]:
    """Return what the agent would refuse; what systems.toml or devices.csv add may be left out."""
    kind = str(r.values.get("kind", ""))
    if enabled or kind not in SOURCE_KINDS:
        inherited = inherited_settings(kind, inventory.systems.get(str(settings.get("system", ""))))
        kind_key = {"kind": r.values["kind"]} if "kind" in r.values else {}
        return find_setting_faults({**inherited, **kind_key, **settings})
    if kind in DERIVED_KINDS:
        remedy = "remove the device from vantage in systems.toml" if kind in SYSTEM_KINDS else "remove this source"
        return [SettingFault("enabled", f"a {kind} source cannot be switched off here", remedy)]
    allowed = {"name", SOURCE_KINDS[kind].distinguished_by}
    remedy = f"write only kind and {' or '.join(sorted(allowed))}"
    return [
        SettingFault(key, "is not for a source that is switched off", remedy) for key in sorted(set(settings) - allowed)
    ]


def _check_matches(entry: _Entry, inventory: Inventory) -> None:
    """Check that the declaration has an effect on at least one device."""
    r, declaration = entry.record, entry.declaration
    if not entry.devices:
        r.add_warning("kind", "is for no device: none is declared like this", "declare the devices, or remove it")
    elif declaration.kind in SYSTEM_KINDS:
        system = inventory.systems[str(declaration.settings["system"])]
        if declaration.kind == "database" and not system.figures_target:
            remedy = "write the id of a database that the province hosts"
            r.add_fault("system", f"{system.id} gives no figures of its own", remedy)
            return
        if not any(device.id in system.vantage for device in entry.devices):
            problem = f"none of these devices observes {system.id}"
            r.add_fault("system", problem, "add one to the system's vantage in systems.toml, or remove this source")


def _check_repeats(entries: list[_Entry]) -> None:
    first: dict[tuple[str, ...], Record] = {}
    for entry in sorted(entries, key=lambda entry: entry.record.line):
        declaration, record = entry.declaration, entry.record
        key = (declaration.device_kind, declaration.centre, declaration.device, declaration.name)
        if first.setdefault(key, record) is not record:
            problem = f"{declaration.name!r} is already declared for these devices on line {first[key].line}"
            record.add_fault("kind", problem, "remove one, or give it a name of its own")


def _check_disabled(entry: _Entry, entries: list[_Entry]) -> None:
    declaration = entry.declaration
    if declaration.enabled:
        return
    names = {
        other.declaration.name
        for other in entries
        if other.declaration.enabled and _precedence(other.declaration) < _precedence(declaration)
    }
    if declaration.name not in names:
        remedy = f"name one of {', '.join(sorted(names))}" if names else "remove it"
        entry.record.add_fault("enabled", f"no source {declaration.name!r} is declared for more devices", remedy)


def _check_devices(entries: list[_Entry], inventory: Inventory) -> None:
    """Add a fault for two sources that no agent could run together, once for each pair of tables."""
    records = {id(entry.declaration): entry.record for entry in entries}
    reported: set[tuple[int, int]] = set()
    for device in {device.id: device for entry in entries for device in entry.devices}.values():
        sources = sources_of(inventory, device)
        for conflict in find_conflicts([{"kind": source.kind, **source.settings} for source in sources]):
            first, second = (records[id(sources[at].declaration)] for at in (conflict.first, conflict.second))
            if (first.line, second.line) not in reported:
                reported.add((first.line, second.line))
                problem = f"{conflict.fault.problem} (line {first.line}, on {device.id})"
                second.add_fault(conflict.fault.key, problem, conflict.fault.remedy)


def _warn_missing_tickets(doc: TomlDocument, inventory: Inventory) -> None:
    with_tickets = {
        device.centre
        for device in inventory.devices.values()
        if any(SOURCE_KINDS[source.kind].gives_tickets for source in sources_of(inventory, device))
    }
    silent = sorted(inventory.centres.keys() & {d.centre for d in inventory.devices.values()} - with_tickets)
    if silent:
        shown = ", ".join(silent[:3]) + (", …" if len(silent) > 3 else "")
        problem = f"no device of {len(silent)} centres reports tickets ({shown})"
        doc.record(AllowedKeys((), ("source",))).add_warning("source", problem, _TICKET_REMEDY)
