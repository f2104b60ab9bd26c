"""Renders plans as Mermaid charts: a stack's workloads and buckets, the hosted systems and their connections. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan import StackPlan
    from infra.plan.cloud.values import CloudPlan, ComponentPlan, Endpoint, SystemPlan
    from infra.plan.values import TokenPlan, Workload


def render_mermaid(plan: StackPlan) -> str:
    """Return the chart's text; the same plan gives the same text."""
    parts = (_outside_nodes, _workload_nodes, _bucket_nodes, _flow_edges, _token_edges)
    return "\n".join(["flowchart LR", *(line for part in parts for line in part(plan)), ""])


def _node_id(kind: str, name: str) -> str:
    """Return a node's id; Mermaid accepts no dashes next to arrows and reserves some words."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]', lambda match: f'_{ord(match[0]):x}_', name)}"


def _quote(text: str) -> str:
    """Return a label; `#` and a number would be a character, and backticks around it Markdown."""
    return '"' + re.sub(r'["#&<`]', lambda match: f"#{ord(match[0])};", text) + '"'


def _flow_node(plan: StackPlan, name: str) -> str:
    workload_names = {workload.name for workload in plan.workloads}
    return _node_id("run" if name in workload_names else "outside", name)


def _outside_nodes(plan: StackPlan) -> Iterator[str]:
    workload_names = {workload.name for workload in plan.workloads}
    for name in sorted({end for flow in plan.flows for end in (flow.source, flow.target)} - workload_names):
        count = len(plan.broker.devices)
        yield f"  {_node_id('outside', name)}([{_quote(f'{count} devices' if name == 'devices' else name)}])"


def _workload_nodes(plan: StackPlan) -> Iterator[str]:
    yield f"  subgraph stack [{_quote(f'{plan.province}, {plan.stage}, {plan.target}')}]"
    for workload in plan.workloads:
        yield f"    {_node_id('run', workload.name)}[{_quote(_workload_label(workload))}]"
    yield "  end"


def _workload_label(workload: Workload) -> str:
    count = (
        f"{workload.min_replicas}"
        if workload.min_replicas == workload.max_replicas
        else f"{workload.min_replicas} to {workload.max_replicas}"
    )
    volume = f", {workload.volume_gb} GB" if workload.volume_gb else ""
    return f"{workload.name}: {count} × {workload.memory_mb} MB{volume}"


def _bucket_nodes(plan: StackPlan) -> Iterator[str]:
    yield f"  subgraph store [{_quote(f'InfluxDB, organisation {plan.influx.org}')}]"
    for bucket in plan.influx.buckets:
        retention = f"{bucket.retention_s // 86_400} days" if bucket.retention_s else "for ever"
        yield f"    {_node_id('bucket', bucket.name)}[({_quote(f'{bucket.name}: {retention}')})]"
    yield "  end"


def _flow_edges(plan: StackPlan) -> Iterator[str]:
    for flow in plan.flows:
        label = _quote(f"{flow.port}: {flow.reason}")
        yield f"  {_flow_node(plan, flow.source)} -->|{label}| {_flow_node(plan, flow.target)}"


def _token_edges(plan: StackPlan) -> Iterator[str]:
    for token in plan.influx.tokens:
        node = _node_id("token", token.name)
        yield f"  {node}{{{{{_quote(token.name if token.active else f'{token.name}, inactive')}}}}}"
        if token.role in {workload.name for workload in plan.workloads} and token.active:
            yield f"  {_node_id('run', token.role)} -.- {node}"
        for bucket, actions in _actions_by_bucket(token).items():
            yield f"  {node} -.->|{_quote(' and '.join(actions))}| {_node_id('bucket', bucket)}"


def _actions_by_bucket(token: TokenPlan) -> dict[str, list[str]]:
    actions: dict[str, list[str]] = {}
    for permission in token.permissions:
        actions.setdefault(permission.bucket, []).append(permission.action)
    return actions


def render_cloud_mermaid(plan: CloudPlan) -> str:
    """Return the chart of the hosted systems: a subgraph per system and zone, an arrow per declared connection."""
    lines = [
        "flowchart LR",
        *(line for system in plan.systems for line in _system_subgraph(system)),
        *_outer_nodes(plan),
        *(
            f"  {_end_id(one.source)} -->|{_quote(f'{one.port}: {one.why}' if one.why else str(one.port))}| "
            f"{_end_id(one.target)}"
            for one in plan.connections
        ),
    ]
    return "\n".join([*lines, ""])


def _system_subgraph(system: SystemPlan) -> Iterator[str]:
    title = f"{system.id}, level {system.declared.level}"
    yield f"  subgraph {_node_id('system', system.id)} [{_quote(title)}]"
    for zone in system.zones:
        yield f"    subgraph {_node_id('zone', zone.namespace)} [{_quote(zone.zone)}]"
        for component in zone.components:
            yield f"      {_node_id('run', component.declared.path)}{_component_shape(component)}"
        yield "    end"
    yield "  end"


def _component_shape(component: ComponentPlan) -> str:
    declared = component.declared
    count = f"{declared.least}" if declared.least == declared.most else f"{declared.least} to {declared.most}"
    disk = f", {declared.disk_gb} GB" if declared.disk_gb else ""
    label = _quote(f"{declared.id} ({declared.kind}): {count} × {declared.size}{disk}")
    return f"[({label})]" if declared.kind in {"database", "objects"} else f"[{label}]"


def _outer_nodes(plan: CloudPlan) -> Iterator[str]:
    ends = {end for one in plan.connections for end in (one.source, one.target) if end.kind != "component"}
    for end in sorted(ends):
        yield f"  {_end_id(end)}([{_quote(str(end))}])"


def _end_id(end: Endpoint) -> str:
    return _node_id(
        "run" if end.kind == "component" else end.kind, f"{end.system}/{end.name}" if end.system else end.name
    )
