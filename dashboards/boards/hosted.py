"""The dashboard of hosted systems: each with its components, by agency and by zone; it must not compute a state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.panels import GREEN, ORANGE, RED, Dashboard, Panel, PanelQuery, Section, ShownValue, Threshold, stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.cloud.values import CloudDeclaration, HostedSystem
    from telemetry.core.inventory import Inventory

_STATES = (ShownValue(1, "up", GREEN), ShownValue(2, "unknown", ORANGE), ShownValue(3, "down", RED))
_WEIGHTS = (("up", 1), ("unknown", 2), ("down", 3))
_BUDGET = (Threshold(None, RED), Threshold(0, ORANGE), Threshold(0.25, GREEN))
_ZONES = ("dmz", "server", "database")
COMPONENT_METRIC, SYSTEM_METRIC = "motcua_hosted_component_state", "motcua_system_state"


def hosted_board(inventory: Inventory) -> Dashboard:
    """Return the dashboard: a summary, then a section a system, an agency and a zone that the inventory declares."""
    cloud = inventory.cloud
    systems = [hosted for ident, hosted in sorted(cloud.systems.items()) if ident in inventory.systems]
    sections = (
        _summary(systems),
        *(_system_section(inventory, hosted) for hosted in systems),
        *_agency_sections(cloud, systems),
        *_zone_sections(cloud),
    )
    text = "The systems that the province hosts: as people reach them, and their components as seen inside the cloud."
    return Dashboard("motcua-hosted", "Motcua: hosted systems", text, sections, time_zone=str(inventory.zone))


def _summary(systems: list[HostedSystem]) -> Section:
    chosen = _one_of("system", [hosted.id for hosted in systems])
    down = "sum(max by ({}) ({}{{{}}})) or vector(0)"
    whole = down.format("system", SYSTEM_METRIC, f'{chosen},state="down"')
    parts = down.format("system, component", COMPONENT_METRIC, 'state="down"')
    return Section(
        "All hosted systems",
        (
            stat("Systems down", whole, "Seen from outside, by quorum.", alarm=Threshold(1, RED)),
            stat("Components down", parts, "Seen from inside the cloud.", alarm=Threshold(1, RED)),
            _timeline("Systems, from outside", _state_query(SYSTEM_METRIC, "system", chosen), "{{system}}"),
        ),
    )


def _system_section(inventory: Inventory, hosted: HostedSystem) -> Section:
    system = inventory.systems[hosted.id]
    own = f'system="{hosted.id}"'
    scopes = f'scope=~"system:{hosted.id}(--.+)?"'
    least = f"min by (scope) (motcua_slo_error_budget_remaining_ratio{{{scopes}}})"
    return Section(
        system.name_en,
        (
            _timeline("From outside", _state_query(SYSTEM_METRIC, "system", own), "{{system}}",
                      f"Level {hosted.level}, {system.owner_agency}, reached from: {hosted.exposure}."),
            _timeline("Components, inside", _state_query(COMPONENT_METRIC, "component, zone", own),
                      "{{zone}} / {{component}}", "The page of the system says which of them is the cause."),
            Panel("Least budget left", (PanelQuery(least, "{{scope}}"),), "Below 0 it is overspent.", "table",
                  "percentunit", 24, 6, _BUDGET),
        ),
        is_closed=True,
    )  # fmt: skip


def _agency_sections(cloud: CloudDeclaration, systems: list[HostedSystem]) -> Iterator[Section]:
    """Yield a section for each agency that owns systems: these, from outside."""
    for ident in sorted({hosted.owner for hosted in systems}):
        agency = cloud.agencies.get(ident)
        own = _one_of("system", [hosted.id for hosted in systems if hosted.owner == ident])
        panel = _timeline("Its systems", _state_query(SYSTEM_METRIC, "system", own), "{{system}}")
        yield Section(f"Agency: {agency.name_en if agency else ident}", (panel,), is_closed=True)


def _zone_sections(cloud: CloudDeclaration) -> Iterator[Section]:
    """Yield a section for each zone in which components run: these, inside."""
    for zone in _ZONES:
        if any(component.zone == zone for component in cloud.components):
            query = _state_query(COMPONENT_METRIC, "system, component", f'zone="{zone}"')
            yield Section(
                f"Zone: {zone}", (_timeline("Components", query, "{{system}}/{{component}}"),), is_closed=True
            )


def _one_of(label: str, values: list[str]) -> str:
    return f'{label}=~"{"|".join(values)}"'


def _state_query(metric: str, labels: str, selector: str) -> str:
    """Return the PromQL of states as numbers, see `_STATES`; API replicas all show the same."""
    return " + ".join(
        f'{weight} * max by ({labels}) ({metric}{{{selector},state="{state}"}})' for state, weight in _WEIGHTS
    )


def _timeline(title: str, query: str, legend: str, description: str = "") -> Panel:
    return Panel(title, (PanelQuery(query, legend),), description, "state-timeline", width=24, value_texts=_STATES)
