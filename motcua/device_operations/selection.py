"""Selects an operation's devices from the inventory. Pure; an unknown id, kind or centre is a fault, not nothing."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from motcua.device_operations.stages import OrderedDevice
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.inventory import DeclaredPeriod, Device, Inventory

COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class DeviceSelection:
    """What the command line says: ids or patterns (`vn83-*-kiosk1`), kinds, centres; a device fits each of them.

    `everything` is stated: no selection at all is a fault.
    """

    devices: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    centres: tuple[str, ...] = ()
    first: str = ""
    everything: bool = False


def select_devices(inventory: Inventory, selection: DeviceSelection, now: int) -> list[OrderedDevice]:
    """Return the devices with an agent that are declared at `now` (Unix ms). Raises ConfigError with every fault."""
    present = [
        device
        for device in inventory.devices.values()
        if device.kind != "replay" and _is_declared(device.declared_period, now)
    ]
    faults = [*_find_faults(present, selection)]
    chosen = [device for device in present if _is_selected(device, selection)]
    if not faults and not chosen:
        faults.append(Fault(COMMAND_LINE, 0, "--devices", "no device fits all of these", "widen the selection"))
    if selection.first and selection.first not in {device.id for device in chosen} and not faults:
        remedy = "name one of the selected devices"
        faults.append(Fault(COMMAND_LINE, 0, "--first", f"{selection.first!r} is not selected", remedy))
    if faults:
        raise ConfigError(faults)
    return [OrderedDevice(device.id, device.centre) for device in chosen]


def _is_declared(period: DeclaredPeriod, now: int) -> bool:
    begins, ends = period.start, period.end
    return (begins is None or begins <= now) and (ends is None or now < ends)


def _is_selected(device: Device, selection: DeviceSelection) -> bool:
    by_id = not selection.devices or any(fnmatchcase(device.id, pattern) for pattern in selection.devices)
    by_kind = not selection.kinds or device.kind in selection.kinds
    return by_id and by_kind and (not selection.centres or device.centre in selection.centres)


def _find_faults(present: Sequence[Device], selection: DeviceSelection) -> Iterable[Fault]:
    given = selection.devices or selection.kinds or selection.centres
    if not given and not selection.everything:
        remedy = "give --devices, --kind or --centre, or --all for every device"
        yield Fault(COMMAND_LINE, 0, "--devices", "no device is selected", remedy)
    if given and selection.everything:
        yield Fault(COMMAND_LINE, 0, "--all", "stands beside a selection", "leave one of them out")
    ids = [device.id for device in present]
    for pattern in selection.devices:
        if not any(fnmatchcase(ident, pattern) for ident in ids):
            yield _unknown("--devices", "device", pattern, ids)
    for option, what, values, known in (
        ("--kind", "device of the kind", selection.kinds, sorted({device.kind for device in present})),
        ("--centre", "device in the centre", selection.centres, sorted({device.centre for device in present})),
    ):
        yield from (_unknown(option, what, value, known) for value in values if value not in known)


def _unknown(option: str, what: str, value: str, known: Sequence[str]) -> Fault:
    near = get_close_matches(value, known, 3, 0.75)
    remedy = f"write {' or '.join(near)}" if near else "name one that the inventory declares"
    return Fault(COMMAND_LINE, 0, option, f"there is no {what} {value!r} in service today", remedy)
