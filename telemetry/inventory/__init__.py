"""The door to the declared world: load and check an inventory folder, and reload it when it changes.

It must not decide what is observed, and must not serve an inventory that has a fault.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from telemetry.core.inventory import Centre, Device, Inventory
from telemetry.errors import Fault, InventoryError
from telemetry.inventory import build, published, targets as aims
from telemetry.inventory.agent_config import graph, render_agent
from telemetry.inventory.files import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


_log = structlog.get_logger()
__all__ = ["FILES", "Reloading", "checked", "default_path", "graph", "load", "render_agent"]

FILES = (
    "province.toml",
    "calendar.toml",
    "units.csv",
    "services.toml",
    "centres.csv",
    "devices.csv",
    "systems.toml",
    "targets.toml",
    "objectives.toml",
    "procedures.csv",
)
CHECK_EVERY_S = 1.0


def default_path() -> Path:
    """Return the sample inventory: the packaged one, else the checkout's."""
    here = Path(__file__).resolve().parent.parent
    packaged = here / "sample" / "bentre-2021"
    return packaged if packaged.is_dir() else here.parent / "inventory" / "bentre-2021"


def load(path: Path, *, simulated: bool = False, imports: Sequence[Centre] = ()) -> Inventory:
    """Read and check a folder; raise InventoryError with every fault it has."""
    return checked(path, simulated=simulated, imports=imports)[0]


def checked(
    path: Path, *, simulated: bool = False, imports: Sequence[Centre] = ()
) -> tuple[Inventory, tuple[Fault, ...]]:
    """Do as `load` and return the warnings, too: what may stay, but is probably not what was meant."""
    if not path.is_dir():
        remedy = "give the path of an inventory folder"
        raise InventoryError([Fault(str(path), 1, "folder", "there is no such folder", remedy)])
    folder = Folder(path)
    folder.refuse_others(FILES)
    inventory = _built(folder, simulated=simulated)
    _check_imports(folder, inventory, imports)
    if folder.faults:
        raise InventoryError(sorted(set(folder.faults)))
    warnings = tuple(sorted(set(folder.faults.warnings)))
    return _with_replays(inventory, imports, simulated=simulated), warnings


def _built(folder: Folder, *, simulated: bool) -> Inventory:
    province, calendar = folder.toml("province.toml"), folder.toml("calendar.toml")
    land = build.province(province, calendar)
    units = build.units(folder.csv("units.csv", build.UNIT))
    build.check_province_unit(province, units)
    services = build.services(folder.toml("services.toml"))
    rows = folder.csv("centres.csv", build.CENTRE)
    centres = build.centres(rows, land, units, services)
    build.check_centre_tables(province, "centre_hours", centres)
    build.check_centre_tables(calendar, "centre_days", centres)
    rows = folder.csv("devices.csv", build.DEVICE)
    devices = build.devices(rows, centres, simulated=simulated)
    systems = build.systems(folder.toml("systems.toml"), devices, land.tables)
    land.tables.check(centres, systems)
    inventory = Inventory(
        version="",
        province=land.id,
        name_vi=land.name_vi,
        name_en=land.name_en,
        zone=land.zone,
        units=units,
        centres=centres,
        devices=devices,
        services=services,
        systems=systems,
        simulated=simulated,
    )
    return _with_aims(folder, inventory)


def _with_aims(folder: Folder, inventory: Inventory) -> Inventory:
    targets = aims.targets(folder.toml("targets.toml"))
    objectives = aims.objectives(folder.toml("objectives.toml"), inventory)
    procedures = aims.procedures(folder.csv("procedures.csv", aims.PROCEDURE))
    aimed = replace(inventory, targets=targets, objectives=objectives, procedures=procedures)
    months = published.read(folder, aimed)
    return replace(aimed, version=folder.digest(), published=months)


def _check_imports(folder: Folder, inventory: Inventory, imports: Iterable[Centre]) -> None:
    for centre in imports:
        if centre.id in inventory.centres:
            problem = f"{centre.id!r} is also the centre of a replay mapping"
            folder.faults.append(Fault(str(folder.path / "centres.csv"), 1, "id", problem, "use another id"))


def _with_replays(inventory: Inventory, imports: Iterable[Centre], *, simulated: bool) -> Inventory:
    centres = {**inventory.centres, **{centre.id: centre for centre in imports}}
    replays = (Device(f"{ident}-replay1", ident, "replay", critical=False, simulated=simulated) for ident in centres)
    devices = {**inventory.devices, **{device.id: device for device in replays}}
    return replace(inventory, centres=centres, devices=devices)


class Reloading:
    """An inventory that follows its folder; on a fault the old one stays and `fault` says why."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        simulated: bool = False,
        imports: Sequence[Centre] = (),
    ) -> None:
        self.fault = ""
        self._path, self._clock, self._simulated, self._imports = path, clock, simulated, tuple(imports)
        self._lock = Lock()
        self._looked, self._mark = clock(), _newest(path)
        self._inventory = self._load()

    def _load(self) -> Inventory:
        return load(self._path, simulated=self._simulated, imports=self._imports)

    def current(self) -> Inventory:
        """Return the inventory; look for a change at most once a second."""
        with self._lock:
            now = self._clock()
            if now - self._looked >= CHECK_EVERY_S:
                self._looked = now
                self._follow(_newest(self._path))
            return self._inventory

    def expire(self) -> None:
        """Have the next `current` load again, changed or not; without a lock, so SIGHUP may call it."""
        self._mark, self._looked = 0, float("-inf")

    def _follow(self, mark: int) -> None:
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._inventory, self.fault = self._load(), ""
        except InventoryError as error:
            self.fault = str(error)
            _log.error("inventory_fault", faults=self.fault, remedy="the old inventory stays in force")


def _newest(path: Path) -> int:
    """Return the newest change of the folder, a file in it or a published month; -1 when it cannot be looked at."""
    try:
        months = (path / published.FOLDER).glob("*.csv")
        return max(p.stat().st_mtime_ns for p in (path, *path.iterdir(), *months))
    except OSError:
        return -1
