"""Builds the tables of `motcua inventory show`: what is declared, by kind and by id; it must not print or load."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from rich.table import Table

from motcua.cli.inventory import kpi_tables
from telemetry.core.device_sources import sources_of
from telemetry.core.kpi.catalogue import all_indicators
from telemetry.source_settings import source_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemetry.core.cloud.values import CloudDeclaration, Component
    from telemetry.core.inventory import Centre, Device, Inventory

MAX_SHOWN_IDS = 4
MAX_SIMILAR_IDS = 5
LEAST_LIKENESS = 0.75
_PROVINCE_PREFIX = re.compile(r"^vn\d*-")


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of declaration: its plural, its values by id, the columns of its table and a row's further cells."""

    plural: str
    values: Mapping[str, object]
    columns: tuple[str, ...]
    cells: Callable[[str], Sequence[object]]
    summary: str = ""
    has_lines: bool = False
    """Whether cells have several lines, so that lines separate the rows."""

    def table(self) -> Table:
        """Return all values of the kind, a row each."""
        title = f"{len(self.values)} {self.plural}"
        table = Table(title=title, title_justify="left", show_lines=self.has_lines)
        table.add_column("id", no_wrap=self.has_lines)
        for column in self.columns:
            table.add_column(column)
        for ident in self.values:
            table.add_row(ident, *map(str, self.cells(ident)))
        return table


def listings(inventory: Inventory) -> tuple[Listing, ...]:
    """Return every kind of declaration with an id, in the order of the inventory's files."""
    devices = {device.id: device for device in inventory.devices.values() if device.kind != "replay"}
    centres = {centre.id: centre for centre in inventory.centres.values() if not centre.imported}
    units, services = inventory.units, inventory.services
    systems = {ident: system for ident, system in inventory.systems.items() if not system.part_of}
    objectives = {objective.id: objective for objective in inventory.objectives}
    levels = Counter[str](centre.level for centre in centres.values())
    return (
        Listing("units", units, ("level", "name"), lambda i: (units[i].level, units[i].name)),
        Listing("services", services, ("name",), lambda i: (services[i].name_en,)),
        Listing(
            "centres", centres, ("name", "level", "counters", "devices", "services"),
            lambda i: _centre_cells(inventory, centres[i]), _counts(levels),
        ),
        Listing(
            "devices", devices, ("kind", "centre", "sources"),
            lambda i: (devices[i].kind, devices[i].centre, ", ".join(_source_names(inventory, devices[i]))),
            _counts(Counter[str](device.kind for device in devices.values())),
        ),
        Listing(
            "systems", systems, ("name", "probe", "target", "vantage", "hosted"),
            lambda i: (
                systems[i].name_en, systems[i].probe, systems[i].target, len(systems[i].vantage),
                f"level {inventory.cloud.systems[i].level}" if i in inventory.cloud.systems else "",
            ),
        ),
        *_cloud_listings(inventory.cloud),
        Listing(
            "objectives", objectives, ("scope", "indicator", "goal"),
            lambda i: (objectives[i].scope, objectives[i].sli, objectives[i].goal),
        ),
        *_goal_listings(inventory),
    )  # fmt: skip


def _cloud_listings(cloud: CloudDeclaration) -> tuple[Listing, ...]:
    """Return what is declared of the province's own cloud; nothing when it hosts nothing."""
    if not cloud.agencies:
        return ()
    agencies, peers = cloud.agencies, cloud.peers
    components = {component.path: component for component in cloud.components}
    flows = {f"{flow.source} → {flow.target}:{flow.port}": flow for flow in cloud.flows}
    return (
        Listing(
            "agencies", agencies, ("name", "from", "to", "successor"),
            lambda i: (
                agencies[i].name_vi, agencies[i].valid_from or "", agencies[i].valid_to or "", agencies[i].successor,
            ),
        ),
        Listing(
            "components", components, ("kind", "zone", "size", "instances", "GB", "port"),
            lambda i: _component_cells(components[i]),
            _counts(Counter[str](component.kind for component in cloud.components)),
        ),
        Listing(
            "flows", flows, ("TLS", "why"),
            lambda i: ("yes" if flows[i].tls else f"no: {flows[i].no_tls_reason}", flows[i].why),
        ),
        Listing(
            "peers", peers, ("kind", "networks", "hosts"),
            lambda i: (peers[i].kind, " ".join(peers[i].cidrs), " ".join(peers[i].hosts)),
        ),
    )  # fmt: skip


def _component_cells(component: Component) -> tuple[object, ...]:
    least, most = component.least, component.most
    instances = str(least) if least == most else f"{least}–{most}"
    return component.kind, component.zone, component.size, instances, component.disk_gb or "", _ports(component)


def _ports(component: Component) -> str:
    """Return the port of the service, and behind a stroke that of health where it is apart."""
    return "/".join(str(port) for port in (component.port, component.health_port) if port)


def _goal_listings(inventory: Inventory) -> tuple[Listing, ...]:
    """Return the indicators and what is declared about them; of targets what their paths ask for year by year."""
    indicators, targets = all_indicators(inventory.own_indicators), kpi_tables.targets_by_id(inventory)
    years = kpi_tables.target_years(targets)
    indices = {kpi_tables.index_name(figure): figure for figure in inventory.indices}
    commitments = {kpi_tables.commitment_name(one): one for one in inventory.commitments}
    return (
        Listing(
            "kpis", indicators, kpi_tables.INDICATOR_COLUMNS,
            lambda i: kpi_tables.indicator_cells(inventory, indicators[i]), has_lines=True,
        ),
        Listing(
            "targets", targets, ("Vietnamese", "English", "unit", *(f"end of {year}" for year in years)),
            lambda i: kpi_tables.target_cells(inventory, targets[i], years),
        ),
        Listing("indices", indices, ("value", "rank", "source"), lambda i: kpi_tables.index_cells(indices[i])),
        Listing(
            "commitments", commitments, ("of", "indicator", "value", "signed", "note"),
            lambda i: kpi_tables.commitment_cells(inventory, commitments[i]),
        ),
    )  # fmt: skip


def summary_table(inventory: Inventory) -> Table:
    """Return the number of each kind of declaration, with what they are or their first ids."""
    title = f"{inventory.name_en} ({inventory.name_vi}), {inventory.province}, version {inventory.version}"
    table = Table("kind", "number", "which", title=title, title_justify="left")
    for listing in listings(inventory):
        table.add_row(listing.plural, str(len(listing.values)), listing.summary or _shorten(listing.values))
    return table


def sources_table(inventory: Inventory, device: Device) -> Table:
    """Return the sources of a device's agent with their settings."""
    table = Table("source", "kind", "settings", title=f"sources of {device.id}", title_justify="left")
    for source in sources_of(inventory, device):
        settings = ", ".join(f"{key} = {value}" for key, value in source.settings.items())
        table.add_row(source_name(source.kind, source.settings), source.kind, settings)
    return table


def similar_ids(ident: str, inventory: Inventory) -> list[str]:
    """Return what an unknown id may mean: close ids, the closest first, else ids that contain it; five at most."""
    declared = listings(inventory)
    names = [name for listing in declared for name in (listing.plural, *listing.values)]
    likeness = {name: _likeness(ident, name) for name in names}
    close = sorted((name for name in likeness if likeness[name] >= LEAST_LIKENESS), key=lambda name: -likeness[name])
    return (close or [name for name in likeness if ident and ident in name])[:MAX_SIMILAR_IDS]


def _likeness(ident: str, name: str) -> float:
    """Return how alike an id and a declared one are, from 0 to 1, whether or not the province is written before."""
    return max(SequenceMatcher(None, text, ident).ratio() for text in (name, _PROVINCE_PREFIX.sub("", name)))


def _centre_cells(inventory: Inventory, centre: Centre) -> tuple[object, ...]:
    kinds = Counter[str](device.kind for device in inventory.devices_of(centre.id) if device.kind != "replay")
    return centre.name_en, centre.level, centre.counters, _counts(kinds), " ".join(centre.services)


def _source_names(inventory: Inventory, device: Device) -> list[str]:
    names = [source_name(source.kind, source.settings) for source in sources_of(inventory, device)]
    probes = sum(name.startswith("probe:") for name in names)
    return [name for name in names if not name.startswith("probe:")] + ([f"{probes} probes"] if probes else [])


def _counts(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counter.items())


def _shorten(ids: Iterable[str]) -> str:
    names = list(ids)
    return ", ".join(names[:MAX_SHOWN_IDS]) + (", …" if len(names) > MAX_SHOWN_IDS else "")
