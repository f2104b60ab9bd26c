"""A hosted system with its components in the order of a request, their states, and why it fails; it reads no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.hosted.database_figures import judge_figures
from telemetry.core.hosted.dependencies import call_layers, closed_path_state, explain_failure
from telemetry.core.hosted.derived_systems import (
    CLOSED_PATH,
    COMPONENT,
    PEER,
    component_id,
    entry_components,
    part_id,
    system_calls,
)
from telemetry.core.hosted.inside_probes import answering_part, has_figures, is_probed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.cloud.values import Component, HostedSystem
    from telemetry.core.hosted.database_figures import DatabaseFigure
    from telemetry.core.hosted.dependencies import FailureExplanation, PathState
    from telemetry.core.inventory import System
    from telemetry.queries.network import NetworkView
    from telemetry.queries.views import SystemView


@dataclass(frozen=True, slots=True)
class ComponentView:
    """A component and what probes see of it; `calls` are the ids of what it calls, `figures` a database's own."""

    component: Component
    view: SystemView
    calls: tuple[str, ...]
    figures: tuple[DatabaseFigure, ...] = ()

    @property
    def figures_at(self) -> int | None:
        """Return when its own figures were read last, Unix ms."""
        row = self.view.row
        return row.database.at if row and row.database else None


@dataclass(frozen=True, slots=True)
class ClosedPathView:
    """A connection that must fail, and whether it does."""

    system: System
    state: PathState


@dataclass(frozen=True, slots=True)
class HostedView:
    """A hosted system: `layers` of components as a request reaches them; `peers` beside, which are not in its state."""

    hosted: HostedSystem
    layers: tuple[tuple[ComponentView, ...], ...]
    peers: tuple[SystemView, ...]
    closed_paths: tuple[ClosedPathView, ...]
    explanation: FailureExplanation | None

    @property
    def components(self) -> tuple[ComponentView, ...]:
        """Return the components in the order of a request."""
        return tuple(component for layer in self.layers for component in layer)


def hosted_view(network: NetworkView, ident: str) -> HostedView | None:
    """Return what is known of a hosted system beside its own state; None when the province does not host it."""
    inventory = network.inventory
    hosted = inventory.cloud.systems.get(ident)
    if hosted is None or ident not in inventory.systems:
        return None
    calls, own = system_calls(inventory.cloud), {}
    for component in inventory.cloud.components_of(ident):
        if is_probed(component):
            node = component_id(component)
            own[node] = component_view(network, component, calls.get(node, ()))
    entries = [component_id(component) for component in entry_components(inventory.cloud, ident)]
    watched = (s.id for s in inventory.systems.values() if s.kind == COMPONENT or s.id in inventory.cloud.systems)
    states = {node: network.system(node).state for node in watched}
    return HostedView(
        hosted,
        tuple(tuple(own[node] for node in layer) for layer in call_layers(entries, calls, own)),
        tuple(view for view in network.parts_of(ident) if view.system.kind == PEER),
        tuple(_closed_paths(network, ident)),
        explain_failure(ident, own, states, calls),
    )


def component_views(network: NetworkView, ident: str) -> tuple[ComponentView, ...]:
    """Return what is known of the component that a derived system watches; nothing for another system."""
    system = network.inventory.systems.get(ident)
    if system is None or system.kind != COMPONENT:
        return ()
    own = network.inventory.cloud.components_of(system.part_of)
    return tuple(component_view(network, one) for one in own if component_id(one) == ident)


def component_view(network: NetworkView, component: Component, calls: tuple[str, ...] = ()) -> ComponentView:
    """Return what is known of a component that is probed; of a database also its own figures."""
    view = network.system(component_id(component))
    if not has_figures(component):
        return ComponentView(component, view, calls)
    seen = view.row.database if view.row else None
    return ComponentView(component, view, calls, judge_figures(network.inventory.cloud, component, seen, network.now))


def _closed_paths(network: NetworkView, ident: str) -> Iterator[ClosedPathView]:
    for view in network.parts_of(ident):
        if view.system.kind == CLOSED_PATH:
            target = network.system(part_id(ident, answering_part(view.system.part)))
            yield ClosedPathView(view.system, closed_path_state(view.state, target.state))
