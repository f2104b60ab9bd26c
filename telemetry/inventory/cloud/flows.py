"""Builds the flows of flows.csv and checks that both ends are declared and no flow is declared twice.

Faults go to the records; it must not judge whether the zones allow a flow: that is policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from telemetry.core.cloud.values import Flow, FlowEnd, PlatformName
from telemetry.inventory.cloud.components import COMPONENTS_FILE, check_hosted
from telemetry.inventory.cloud.hosted_systems import CLOUD_FILE
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from telemetry.core.cloud.values import Component, ComponentKind, HostedSystem
    from telemetry.inventory.record import Record

FLOWS_FILE = "flows.csv"
FLOW_KEYS = AllowedKeys(("from", "to", "port", "why"), ("tls", "no_tls_reason"))
END_REMEDY = "write system/component, outside:PEER or platform:NAME"
MANY_PORTED_KINDS: frozenset[ComponentKind] = frozenset({"gateway", "queue"})
"""Kinds whose own system may call further ports: a broker's for services, a queue's for administration."""
PLATFORM_NAMES: tuple[PlatformName, ...] = get_args(PlatformName)


def parse_flow_end(text: str) -> FlowEnd | None:
    """Return the end that is written like this, None when it is none."""
    kind, colon, name = text.partition(":")
    if colon and kind == "outside" and name:
        return FlowEnd("outside", name)
    if colon and kind == "platform" and name:
        return FlowEnd("platform", name)
    system, slash, component = text.partition("/")
    return FlowEnd("component", component, system) if slash and system and component else None


@dataclass(frozen=True, slots=True)
class DeclaredEnds:
    """What the ends of flows may name; components by `system/component`."""

    systems: Mapping[str, HostedSystem]
    components: Mapping[str, Component]
    peers: Container[str]
    platform: Container[str]

    def component(self, end: FlowEnd) -> Component | None:
        """Return the component that an end names, None for another end or an undeclared one."""
        return self.components.get(str(end)) if end.kind == "component" else None


def build_flows(records: list[Record], ends: DeclaredEnds) -> tuple[Flow, ...]:
    """Build the flows with both ends declared, in order of the file."""
    first: dict[tuple[str, str, int], int] = {}
    built = []
    for record in records:
        source, target = (_parse_end(record, key) for key in ("from", "to"))
        port, why = record.integer("port", 1, 65_535), record.text("why")
        tls, reason = _parse_tls(record), record.text("no_tls_reason", "")
        if tls is not None:
            _check_tls(record, tls=tls, reason=reason)
        if source is None or target is None:
            continue
        for key, end in (("from", source), ("to", target)):
            _check_end(record, key, end, ends)
        _check_pair(record, source, target, ends)
        _check_port(record, port, source, ends.component(target))
        line = first.setdefault((str(source), str(target), port), record.line)
        if line != record.line:
            record.add_fault("to", f"is already declared on line {line}", "remove one of them")
        built.append(Flow(source, target, port, why, tls is not False, reason, record.declared_at))
    return tuple(built)


def _parse_end(r: Record, key: str) -> FlowEnd | None:
    text = r.text(key)
    end = parse_flow_end(text)
    if text and end is None:
        r.add_fault(key, f"{text!r} is not the end of a flow", END_REMEDY)
    return end


def _parse_tls(r: Record) -> bool | None:
    """Return whether the flow has TLS, None with a fault for a cell that says neither: perhaps the rest of `why`."""
    value = r.values.get("tls", "")
    if value in {"", "yes", "no"} or isinstance(value, bool):
        return r.flag("tls", default=True)
    remedy = 'write yes or no; if it is the rest of the column why, put the text of why in quotes: "…, …"'
    r.add_fault("tls", f"{value!r} is neither yes nor no", remedy)
    return None


def _check_tls(r: Record, *, tls: bool, reason: str) -> None:
    if not tls and not reason:
        r.add_fault("no_tls_reason", "is missing for a flow without TLS", "write why, or write tls = yes")
    if tls and reason:
        r.add_fault("no_tls_reason", "is for flows without TLS", "write no in the column tls, or remove the reason")


def _check_end(r: Record, key: str, end: FlowEnd, ends: DeclaredEnds) -> None:
    if end.kind == "outside":
        r.check_reference(key, end.name, ends.peers, "peer", CLOUD_FILE)
    elif end.kind == "platform":
        if end.name not in PLATFORM_NAMES:
            r.add_fault(key, f"{end.name!r} is no platform service", f"use one of {', '.join(PLATFORM_NAMES)}")
        else:
            r.check_reference(key, end.name, ends.platform, "platform service", CLOUD_FILE)
    elif end.system not in ends.systems:
        check_hosted(r, key, end.system, ends.systems)
    elif ends.component(end) is None and "components" not in r.faults.unread_files:
        own = ", ".join(path for path, one in ends.components.items() if one.system == end.system)
        remedy = f"use one of {own}" if own else f"declare it in {COMPONENTS_FILE}"
        r.add_fault(key, f"there is no component {str(end)!r}", remedy)


def _check_port(r: Record, port: int, source: FlowEnd, called: Component | None) -> None:
    """Add a fault for a flow to a port on which the component that it names does not listen."""
    if called is None or not called.port or "components" in r.faults.unread_files:
        return
    ports = {called.port, called.health_port} - {0}
    has_more = called.kind in MANY_PORTED_KINDS and source.system == called.system
    if port and port not in ports and not has_more:
        health = f", or {called.health_port} for its health" if called.health_port else ""
        r.add_fault("port", f"{called.path} does not listen on {port}", f"write its port: {called.port}{health}")


def _check_pair(r: Record, source: FlowEnd, target: FlowEnd, ends: DeclaredEnds) -> None:
    if source.kind == "platform":
        problem = "what the platform calls itself (metrics, administration) needs no row"
        r.add_fault("from", problem, "remove the flow")
    elif "component" not in {source.kind, target.kind}:
        r.add_fault("to", "neither end is a component", "name a component of a hosted system at one end")
    caller, called = ends.component(source), ends.component(target)
    if caller and caller.kind == "objects":
        r.add_fault("from", f"{source} is a bucket, which calls nobody", "turn the flow round, or remove it")
    if called and called.kind == "job":
        r.add_fault("to", f"{target} is a job, which listens on no port", "turn the flow round, or remove it")
