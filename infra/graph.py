"""Renders a plan as a Mermaid chart: workloads, allowed connections, tokens and their buckets. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan import StackPlan
    from infra.plan.values import TokenPlan, Workload


def render_mermaid(plan: StackPlan) -> str:
    """Return the chart's text; the same plan gives the same text."""
    parts = (_outside_nodes, _workload_nodes, _bucket_nodes, _flow_edges, _token_edges)
    return "\n".join(["flowchart LR", *(line for part in parts for line in part(plan)), ""])


def _node_id(kind: str, name: str) -> str:
    """Return a node's id; Mermaid accepts no dashes next to arrows and reserves some words."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]', lambda match: f'_{ord(match[0]):x}_', name)}"


def _quote(text: str) -> str:
    return '"' + text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;") + '"'


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
