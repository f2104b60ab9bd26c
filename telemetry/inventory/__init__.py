"""Loads and checks an inventory folder, and reloads it when it changes.

It must not decide what is observed, and must not serve an inventory that has a fault.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from telemetry.core.hosted.derived_systems import complete_objectives, derive_monitoring
from telemetry.core.inventory import Centre, Device, Inventory
from telemetry.core.kpi.catalogue import all_indicators
from telemetry.errors import Fault, InventoryError
from telemetry.inventory import build, kpi_files, published
from telemetry.inventory.agent_config import render_agent, render_graph
from telemetry.inventory.cloud import build_cloud
from telemetry.inventory.files import INVENTORY_FILES, InventoryFolder
from telemetry.inventory.objectives import build_objectives
from telemetry.inventory.signers import SIGNER_KEYS, SIGNERS_FILE, build_signers
from telemetry.inventory.sources import SOURCES_FILE, build_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


_log = structlog.get_logger()
__all__ = [
    "INVENTORY_FILES",
    "ReloadingInventory",
    "default_path",
    "load",
    "load_with_warnings",
    "render_agent",
    "render_graph",
]

CHECK_EVERY_S = 1.0


def default_path() -> Path:
    """Return the sample inventory: the packaged one, else the checkout's."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "sample" / "bentre-2021"
    return packaged if packaged.is_dir() else package.parent / "inventory" / "bentre-2021"


def load(path: Path, *, simulated: bool = False, imports: Sequence[Centre] = ()) -> Inventory:
    """Read and check a folder; raise InventoryError with every fault it has."""
    return load_with_warnings(path, simulated=simulated, imports=imports)[0]


def load_with_warnings(
    path: Path, *, simulated: bool = False, imports: Sequence[Centre] = ()
) -> tuple[Inventory, tuple[Fault, ...]]:
    """Load like `load`, and return the warnings too: what is allowed, but probably not intended."""
    if not path.is_dir():
        remedy = "give the path of an inventory folder"
        raise InventoryError([Fault(str(path), 1, "folder", "there is no such folder", remedy)])
    folder = InventoryFolder(path)
    folder.check_file_names(INVENTORY_FILES)
    inventory = _build_inventory(folder, simulated=simulated)
    _check_imports(folder, inventory, imports)
    if folder.faults:
        raise InventoryError(sorted(set(folder.faults)))
    warnings = tuple(sorted(set(folder.faults.warnings)))
    return _with_replay_devices(inventory, imports, simulated=simulated), warnings


def _build_inventory(folder: InventoryFolder, *, simulated: bool) -> Inventory:
    province, calendar = folder.read_toml("province.toml"), folder.read_toml("calendar.toml")
    province_settings = build.build_province(province, calendar)
    units = build.build_units(folder.read_csv("units.csv", build.UNIT_KEYS))
    build.check_province_unit(province, units)
    services = build.build_services(folder.read_toml("services.toml"))
    rows = folder.read_csv("centres.csv", build.CENTRE_KEYS)
    centres = build.build_centres(rows, province_settings, units, services)
    build.check_centre_ids(province, "centre_hours", centres)
    build.check_centre_ids(calendar, "centre_days", centres)
    rows = folder.read_csv("devices.csv", build.DEVICE_KEYS)
    devices = build.build_devices(rows, centres, simulated=simulated)
    systems_doc = folder.read_toml("systems.toml")
    systems = build.build_systems(systems_doc, centres, devices, services, province_settings)
    province_settings.calendar_tables.check_references(centres, systems)
    inventory = Inventory(
        version="",
        province=province_settings.id,
        name_vi=province_settings.name_vi,
        name_en=province_settings.name_en,
        zone=province_settings.zone,
        units=units,
        centres=centres,
        devices=devices,
        services=services,
        systems=systems,
        simulated=simulated,
        coverage_floor=province_settings.coverage_floor,
        open_data=province_settings.open_data,
        procedures=kpi_files.build_procedures(folder.read_csv("procedures.csv", kpi_files.PROCEDURE_KEYS)),
    )
    inventory = replace(inventory, signers=build_signers(folder.read_csv(SIGNERS_FILE, SIGNER_KEYS)))
    inventory = replace(inventory, cloud=build_cloud(folder, systems_doc, inventory))
    inventory = _with_goals(folder, derive_monitoring(inventory))
    inventory = replace(inventory, objectives=build_objectives(folder.read_toml("objectives.toml"), inventory))
    declared_objectives = inventory.objectives
    inventory = replace(inventory, objectives=complete_objectives(inventory))
    inventory = replace(inventory, sources=build_sources(folder.read_toml(SOURCES_FILE), inventory))
    months, reports = published.read_months(folder, inventory), published.read_reports(folder)
    inventory = replace(inventory, version=folder.digest(), published=months, published_reports=reports)
    declared = replace(inventory, systems=systems, devices=devices, objectives=declared_objectives)
    return replace(inventory, declared=declared)


def _with_goals(folder: InventoryFolder, inventory: Inventory) -> Inventory:
    """Return the inventory with targets, yearly indices and commitments."""
    targets = folder.read_toml("targets.toml")
    own_indicators = kpi_files.build_indicators(targets)
    known = all_indicators(own_indicators)
    commitments = folder.read_csv(kpi_files.COMMITMENTS_FILE, kpi_files.COMMITMENT_KEYS)
    inventory = replace(
        inventory,
        own_indicators=own_indicators,
        targets=kpi_files.build_targets(targets, known),
        indices=kpi_files.build_indices(folder.read_csv(kpi_files.INDICES_FILE, kpi_files.INDEX_KEYS)),
        commitments=kpi_files.build_commitments(
            commitments, inventory.units, kpi_files.owner_agencies(inventory), known
        ),
    )
    kpi_files.warn_of_unmeasured_targets(targets, inventory)
    return inventory


def _check_imports(folder: InventoryFolder, inventory: Inventory, imports: Iterable[Centre]) -> None:
    for centre in imports:
        if centre.id in inventory.centres:
            problem = f"{centre.id!r} is also the centre of a replay mapping"
            folder.faults.append(Fault(str(folder.path / "centres.csv"), 1, "id", problem, "use another id"))


def _with_replay_devices(inventory: Inventory, imports: Iterable[Centre], *, simulated: bool) -> Inventory:
    centres = {**inventory.centres, **{centre.id: centre for centre in imports}}
    replays = (Device(f"{ident}-replay1", ident, "replay", critical=False, simulated=simulated) for ident in centres)
    devices = {**inventory.devices, **{device.id: device for device in replays}}
    return replace(inventory, centres=centres, devices=devices)


class ReloadingInventory:
    """An inventory that is reloaded when its folder changes; on a fault the old one stays and `fault` is set."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        simulated: bool = False,
        imports: Sequence[Centre] = (),
    ) -> None:
        self.fault = ""
        self._path, self._clock = path, clock
        self._load = partial(load, path, simulated=simulated, imports=tuple(imports))
        self._lock = Lock()
        self._checked_at, self._mtime_ns = clock(), _newest_mtime_ns(path)
        self._inventory = self._load()

    def current(self) -> Inventory:
        """Return the inventory; check for a change at most once a second."""
        with self._lock:
            now = self._clock()
            if now - self._checked_at >= CHECK_EVERY_S:
                self._checked_at = now
                self._reload_if_changed(_newest_mtime_ns(self._path))
            return self._inventory

    def invalidate(self) -> None:
        """Make the next `current` reload, changed or not; without a lock, so SIGHUP may call it."""
        self._mtime_ns, self._checked_at = 0, float("-inf")

    def _reload_if_changed(self, mtime_ns: int) -> None:
        if mtime_ns == self._mtime_ns:
            return
        self._mtime_ns = mtime_ns
        try:
            self._inventory, self.fault = self._load(), ""
        except InventoryError as error:
            self.fault = str(error)
            _log.error("inventory_fault", faults=self.fault, remedy="the old inventory stays in force")


def _newest_mtime_ns(path: Path) -> int:
    """Return the newest change of the folder, a file in it or a published month; -1 when it cannot be read."""
    try:
        months = (path / published.FOLDER).glob("*.csv")
        return max(p.stat().st_mtime_ns for p in (path, *path.iterdir(), *months))
    except OSError:
        return -1
