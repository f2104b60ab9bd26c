"""Draws a plan as a Mermaid chart: what runs, what may talk to what, which token reaches which bucket. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan import Plan
    from infra.plan.values import Token, Workload


def mermaid(plan: Plan) -> str:
    """Return the chart's text; the same plan gives the same text."""
    lines = ["flowchart LR", *_outside(plan), *_workloads(plan), *_buckets(plan), *_flows(plan), *_tokens(plan)]
    return "\n".join([*lines, ""])


def _id(kind: str, name: str) -> str:
    """Return a node's id: Mermaid takes no dashes next to arrows, and some words are its own."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]', lambda found: f'_{ord(found[0]):x}_', name)}"


def _text(text: str) -> str:
    return '"' + text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;") + '"'


def _place(plan: Plan, name: str) -> str:
    known = {one.name for one in plan.workloads}
    return _id("run" if name in known else "outside", name)


def _outside(plan: Plan) -> Iterator[str]:
    known = {one.name for one in plan.workloads}
    for name in sorted({end for flow in plan.flows for end in (flow.source, flow.target)} - known):
        count = len(plan.broker.devices)
        yield f"  {_id('outside', name)}([{_text(f'{count} devices' if name == 'devices' else name)}])"


def _workloads(plan: Plan) -> Iterator[str]:
    yield f"  subgraph stack [{_text(f'{plan.province}, {plan.stage}, {plan.target}')}]"
    for one in plan.workloads:
        yield f"    {_id('run', one.name)}[{_text(_size(one))}]"
    yield "  end"


def _size(one: Workload) -> str:
    count = f"{one.replicas}" if one.replicas == one.most else f"{one.replicas} to {one.most}"
    volume = f", {one.volume_gb} GB" if one.volume_gb else ""
    return f"{one.name}: {count} × {one.memory_mb} MB{volume}"


def _buckets(plan: Plan) -> Iterator[str]:
    yield f"  subgraph store [{_text(f'InfluxDB, organisation {plan.influx.org}')}]"
    for one in plan.influx.buckets:
        kept = f"{one.retention_s // 86_400} days" if one.retention_s else "for ever"
        yield f"    {_id('bucket', one.name)}[({_text(f'{one.name}: {kept}')})]"
    yield "  end"


def _flows(plan: Plan) -> Iterator[str]:
    for flow in plan.flows:
        yield f"  {_place(plan, flow.source)} -->|{_text(f'{flow.port}: {flow.why}')}| {_place(plan, flow.target)}"


def _tokens(plan: Plan) -> Iterator[str]:
    for token in plan.influx.tokens:
        node = _id("token", token.name)
        yield f"  {node}{{{{{_text(token.name if token.active else f'{token.name}, inactive')}}}}}"
        if token.role in {one.name for one in plan.workloads} and token.active:
            yield f"  {_id('run', token.role)} -.- {node}"
        for bucket, actions in _rights(token).items():
            yield f"  {node} -.->|{_text(' and '.join(actions))}| {_id('bucket', bucket)}"


def _rights(token: Token) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in token.permissions:
        found.setdefault(one.bucket, []).append(one.action)
    return found
