"""Motcua as one of the systems that it hosts: which components it must be declared with, and its plan from them. Pure.

Sizes, instances, disks, ports, host and zones are the declaration's; the stack file repeats none of them. It must not
decide what the components hold.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Literal

from infra.plan import build_plan
from infra.plan.values import NetworkFlow, ScrapeJob, Workload
from infra.plan.workloads import ALERTMANAGER_PORT, BACKUP, GRAFANA_PORT, INFLUX_PORT, PROMETHEUS_PORT, SERVICES_PORT
from telemetry.core.cloud.encryption import speaks_tls
from telemetry.errors import ConfigError, Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan
    from infra.plan.values import StackPlan
    from telemetry.core.cloud.values import CloudDeclaration, Component, ComponentKind, ComponentZone
    from telemetry.core.inventory import Inventory

OPTION = "motcua:cloud.ownSystem"
STACK_FILE = "stack configuration"
NO_TLS_REASON = "between its own parts Motcua speaks plain HTTP within network policies"
"""What stands in `no_tls_reason` of flows to Motcua's parts that serve no TLS."""
MQTT_PROXY, WEB_PROXY = "mqtt", "web"
"""The components in zone dmz: what devices and people reach, and what passes them on."""


@dataclass(frozen=True, slots=True)
class KnownComponent:
    """What is known of a component of Motcua: kind, zone, image, the name of its port.

    `port` is the only one that its image listens on, 0 for any; `disk`: it stores data; `alone`: never two at once;
    `tls`: whether it serves TLS; `declared`: as the rows of flows.csv to it say.
    """

    kind: ComponentKind
    zone: ComponentZone
    image: str
    port_name: str = ""
    port: int = 0
    disk: bool = False
    alone: bool = False
    tls: Literal["always", "never", "declared"] = "never"


KNOWN_COMPONENTS: Mapping[str, KnownComponent] = {
    MQTT_PROXY: KnownComponent("gateway", "dmz", "nginx", "mqtts", tls="always"),
    WEB_PROXY: KnownComponent("web", "dmz", "nginx", "http"),
    "broker": KnownComponent("gateway", "server", "mosquitto", "mqtts", disk=True, alone=True, tls="always"),
    "ingest": KnownComponent("app", "server", "motcua-server", "metrics"),
    "rollup": KnownComponent("app", "server", "motcua-server", "metrics", disk=True, alone=True),
    "api": KnownComponent("app", "server", "motcua-server", "http"),
    "prometheus": KnownComponent(
        "app", "server", "prometheus", "http", PROMETHEUS_PORT, disk=True, alone=True, tls="declared"
    ),
    "alertmanager": KnownComponent(
        "app", "server", "alertmanager", "http", ALERTMANAGER_PORT, disk=True, alone=True, tls="declared"
    ),
    "grafana": KnownComponent("app", "server", "grafana", "http", GRAFANA_PORT, alone=True),
    BACKUP: KnownComponent("job", "server", "influxdb", disk=True, alone=True),
    "influxdb": KnownComponent(
        "app", "database", "influxdb", "http", INFLUX_PORT, disk=True, alone=True, tls="declared"
    ),
}
"""Every component that Motcua is declared with, by its id."""
_REPLACED_OPTIONS: Mapping[str, str] = {
    "namespace": "cloud.lock", "api_host": "systems.toml", "image_digests": "cloud.imageDigests",
    "ingest_least": "components.csv", "ingest_most": "components.csv", "device_sources": "flows.csv",
}  # fmt: skip
"""Options of a stack of its own, and where the same is declared of a hosted system."""


def build_own_plan(
    inventory: Inventory, options: StackOptions, cloud: CloudPlan, today: date, files: Mapping[str, str]
) -> StackPlan:
    """Return the plan of Motcua as the hosted system that the options name; `options` are those of `own_options`.

    Raises ConfigError naming everything in which the declaration is not what Motcua needs.
    """
    system = own_system(options, cloud)
    plan = declared_plan(build_plan(inventory, options, today, files), cloud, system)
    faults = [*_flow_faults(cloud, system, plan), *_outside_faults(cloud, system), *_encryption_faults(cloud, system)]
    if faults:
        raise ConfigError(sorted(faults))
    return plan


def own_system(options: StackOptions, cloud: CloudPlan) -> SystemPlan:
    """Return the declared system that is Motcua. Raises ConfigError when there is none with the right components."""
    ident = options.cloud.own_system
    system = next((one for one in cloud.systems if one.id == ident), None)
    if system is None:
        hosted = ", ".join(one.id for one in cloud.systems) or "a system in systems.toml with [system.hosted]"
        problem, remedy = f"{ident!r} is no hosted system", f"write one of {hosted}; or take the key out"
        raise ConfigError([Fault(STACK_FILE, 0, OPTION, problem, remedy)])
    faults = [*_component_faults(system), *_host_faults(system)]
    if faults:
        raise ConfigError(sorted(faults))
    return system


def own_options(options: StackOptions, cloud: CloudPlan) -> StackOptions:
    """Return the options with the host, the port of devices and the namespace of the declaration.

    Raises ConfigError for options that would declare the same once more, and as `own_system`.
    """
    faults = [*_repeated_options(options)]
    if faults:
        raise ConfigError(sorted(faults))
    system = own_system(options, cloud)
    port, broker = _component(system, MQTT_PROXY).declared.port, _component(system, "broker")
    host, namespace = system.declared.host, broker.namespace
    return options.model_copy(
        update={
            "broker": options.broker.model_copy(update={"host": host, "port": port}),
            "pki": options.pki.model_copy(update={"hosts": (*options.pki.hosts, _inside_host(broker))}),
            "kubernetes": options.kubernetes.model_copy(
                update={
                    "namespace": namespace, "api_host": host, "device_sources": (),
                    "registry": options.cloud.registry or options.kubernetes.registry,
                    "image_digests": _own_digests(options, system),
                }
            ),
        }
    )  # fmt: skip


def with_inside_broker(options: StackOptions, cloud: CloudPlan) -> StackOptions:
    """Return the options with the broker as the agents inside the cloud reach it, where Motcua is one of the systems.

    Raises ConfigError as `own_system`.
    """
    if not options.cloud.own_system:
        return options
    broker = _component(own_system(options, cloud), "broker")
    address = {"host": _inside_host(broker), "port": broker.declared.port}
    return options.model_copy(update={"broker": options.broker.model_copy(update=address)})


def _inside_host(broker: ComponentPlan) -> str:
    return f"{broker.declared.id}.{broker.namespace}.svc"


def _own_digests(options: StackOptions, system: SystemPlan) -> dict[str, str]:
    """Return the digests of the declared images by the names that Motcua's own policies know."""
    digests = options.cloud.image_digests
    return {
        KNOWN_COMPONENTS[one.declared.id].image: digests[one.declared.image].rpartition("@")[2]
        for one in system.components
        if one.declared.image in digests
    }


def _repeated_options(options: StackOptions) -> Iterator[Fault]:
    for name in sorted(_REPLACED_OPTIONS.keys() & options.kubernetes.model_fields_set):
        alias = type(options.kubernetes).model_fields[name].alias or name
        problem = f"is that of a stack of its own; {options.cloud.own_system} has it from {_REPLACED_OPTIONS[name]}"
        yield Fault(STACK_FILE, 0, f"motcua:kubernetes.{alias}", problem, "take it out")
    for name in sorted({"host", "port"} & options.broker.model_fields_set):
        problem = (
            f"is that of a stack of its own; {options.cloud.own_system} has it from systems.toml and components.csv"
        )
        yield Fault(STACK_FILE, 0, f"motcua:broker.{name}", problem, "take it out")
    if options.national is not None:
        problem = "replicates from InfluxDB, and zone database has no way out of the cloud"
        yield Fault(
            STACK_FILE, 0, "motcua:national", problem, "take it out, or use a stack of its own: cloud.part motcua"
        )


def declared_plan(plan: StackPlan, cloud: CloudPlan, system: SystemPlan) -> StackPlan:
    """Return a plan with the declared sizes, instances, disks, ports and encryption, and the two proxies."""
    by_id = {one.declared.id: one for one in system.components}
    known = {one.name: one for one in plan.workloads}
    workloads = tuple(
        replace(_declared_workload(known.get(ident), by_id[ident]), tls=serves_inside_tls(cloud.declaration, declared))
        for ident, declared in ((ident, by_id[ident].declared) for ident in KNOWN_COMPONENTS)
    )
    ports = {one.name: (_port(one), _port(new)) for one in plan.workloads for new in workloads if new.name == one.name}
    flows = {replace(flow, port=_moved_port(ports, flow.target, flow.port)) for flow in plan.flows}
    jobs = [replace(job, port=_moved_port(ports, job.workload, job.port)) for job in plan.scrape_jobs]
    # A declared app has a port, so rollup serves its pages too.
    pages = next(_port(one) for one in workloads if one.name == "rollup")
    jobs.append(ScrapeJob("rollup", "rollup", pages, "/metrics", 30))
    flows.add(NetworkFlow("prometheus", "rollup", pages, "its own work"))
    return replace(plan, workloads=workloads, flows=tuple(sorted(flows)), scrape_jobs=tuple(jobs))


def serves_inside_tls(declaration: CloudDeclaration, component: Component) -> bool:
    """Return whether a component of Motcua serves TLS with a certificate of the authority inside the cluster."""
    return KNOWN_COMPONENTS[component.id].tls == "declared" and speaks_tls(declaration, component)


def _declared_workload(known: Workload | None, planned: ComponentPlan) -> Workload:
    declared, component = planned.declared, KNOWN_COMPONENTS[planned.declared.id]
    ports = {component.port_name: declared.port} if component.port_name and declared.port else {}
    if known is None:
        known = Workload(declared.id, component.image, (), 1, 1, 0, 0, ports, public=True)
    return replace(
        known,
        min_replicas=declared.least,
        max_replicas=declared.most,
        cpu_millicores=planned.size.cpu_millicores,
        memory_mb=planned.size.memory_mb,
        ports=ports,
        volume_gb=declared.disk_gb,
    )


def _port(workload: Workload) -> int:
    return next(iter(workload.ports.values()), 0)


def _moved_port(ports: Mapping[str, tuple[int, int]], component: str, port: int) -> int:
    old, new = ports.get(component, (0, 0))
    return new if port == old else port


def needed_flows(plan: StackPlan) -> tuple[NetworkFlow, ...]:
    """Return the connections between components without which Motcua would not work, from a plan of `declared_plan`."""
    inner = (
        replace(flow, port=SERVICES_PORT) if flow.target == "broker" else flow
        for flow in plan.flows
        if {flow.source, flow.target} <= KNOWN_COMPONENTS.keys()
    )
    passed_on = (
        NetworkFlow(source, target, _port(plan.workload(target)), reason)
        for source, target, reason in (
            (MQTT_PROXY, "broker", "devices' messages"), (WEB_PROXY, "api", "pages and figures"),
            (WEB_PROXY, "grafana", "dashboards"),
        )
    )  # fmt: skip
    return tuple(sorted({*inner, *passed_on}))


def _flow_faults(cloud: CloudPlan, system: SystemPlan, plan: StackPlan) -> Iterator[Fault]:
    declared = {
        (one.source.name, one.target.name, one.port)
        for one in cloud.connections
        if one.source.system == one.target.system == system.id
    }
    for flow in needed_flows(plan):
        if (flow.source, flow.target, flow.port) not in declared:
            ends = f"{system.id}/{flow.source} → {system.id}/{flow.target} port {flow.port}"
            tls = _has_tls(cloud, system, flow.target)
            row = _flow_row(f"{system.id}/{flow.source}", system, flow.target, str(flow.port), flow.reason, tls=tls)
            yield Fault("flows.csv", 0, ends, "is not declared, and Motcua needs it", f"add the row `{row}`")


def _outside_faults(cloud: CloudPlan, system: SystemPlan) -> Iterator[Fault]:
    """Yield a fault for a proxy that nobody outside reaches."""
    reached = {one.target.name for one in cloud.connections
               if one.source.kind == "edge" and one.target.system == system.id}  # fmt: skip
    for ident, party in ((MQTT_PROXY, "devices"), (WEB_PROXY, "people")):
        if ident not in reached:
            problem = f"no outside party reaches it, so no {party} would"
            row = _flow_row("outside:PEER", system, ident, "PORT", party, tls=_has_tls(cloud, system, ident))
            remedy = f"add a flow from the network of {party}, as `{row}`"
            yield _fault(_component(system, ident).declared, problem, remedy)


def _flow_row(source: str, system: SystemPlan, target: str, port: str, why: str, *, tls: bool) -> str:
    """Return a row of flows.csv to a component of Motcua, with the columns about TLS for one without it."""
    row = StringIO()
    encryption = () if tls else ("no", NO_TLS_REASON)
    csv.writer(row, lineterminator="").writerow((source, f"{system.id}/{target}", port, why, *encryption))
    return row.getvalue()


def _has_tls(cloud: CloudPlan, system: SystemPlan, ident: str) -> bool:
    """Return whether flows to a component of Motcua have TLS."""
    known, component = KNOWN_COMPONENTS[ident], _component(system, ident).declared
    return known.tls == "always" or serves_inside_tls(cloud.declaration, component)


def _encryption_faults(cloud: CloudPlan, system: SystemPlan) -> Iterator[Fault]:
    """Yield a fault for a flow that declares another encryption than its target has.

    Probes, dossier and policies believe the rows.
    """
    for flow in cloud.declaration.flows:
        if flow.target.system != system.id or flow.tls == _has_tls(cloud, system, flow.target.name):
            continue
        ends = f"{flow.source} → {flow.target} port {flow.port}"
        name, choice = flow.target.name, KNOWN_COMPONENTS[flow.target.name].tls
        if choice == "declared":
            problem = f"declares TLS, and other rows to {name} do not; one port serves one of both"
            remedy = "leave the columns tls and no_tls_reason empty in all rows to it"
        elif flow.tls:
            problem = f"declares TLS, and Motcua's {name} serves plain HTTP"
            remedy = f"write no in the column tls, and in no_tls_reason why, as: {NO_TLS_REASON}"
        else:
            problem = f"has no TLS, and Motcua's {name} serves nothing else"
            remedy = "leave the columns tls and no_tls_reason empty"
        yield declaration_fault(flow.declared_at, "flows.csv", ends, problem, remedy)


def _component(system: SystemPlan, ident: str) -> ComponentPlan:
    return next(one for one in system.components if one.declared.id == ident)


def _host_faults(system: SystemPlan) -> Iterator[Fault]:
    if not system.declared.host:
        problem, remedy = "has no host, and devices and people need one", "write host in [system.hosted]"
        yield declaration_fault(system.declared.declared_at, "systems.toml", system.id, problem, remedy)


def _component_faults(system: SystemPlan) -> Iterator[Fault]:
    """Yield where the components are not those that Motcua has."""
    declared = {one.declared.id: one.declared for one in system.components}
    for ident in sorted(declared.keys() - KNOWN_COMPONENTS.keys()):
        remedy = f"remove it, or make it a system of its own; Motcua has {', '.join(KNOWN_COMPONENTS)}"
        yield _fault(declared[ident], "is no component of Motcua", remedy)
    for ident, known in KNOWN_COMPONENTS.items():
        if ident not in declared:
            problem = f"has no component {ident}, which Motcua needs"
            remedy = f"add it to components.csv: kind {known.kind} in zone {known.zone}"
            yield Fault("components.csv", 0, system.id, problem, remedy)
        else:
            yield from _known_component_faults(declared[ident], known)


def _known_component_faults(component: Component, known: KnownComponent) -> Iterator[Fault]:
    if component.was:
        yield _fault(component, f"was {component.was[0]}, whose objects Motcua does not know", "remove it from `was`")
    for what, has, wants in (("kind", component.kind, known.kind), ("zone", component.zone, known.zone)):
        if has != wants:
            yield _fault(component, f"has the {what} {has}, and Motcua's has {wants}", f"write {wants}")
    if known.disk and not component.disk_gb:
        yield _fault(component, "has no disk, and it stores data", "write disk_gb")
    if known.alone and component.most > 1:
        problem = f"runs up to {component.most} times, and two would disturb each other"
        yield _fault(component, problem, "write most = 1")
    yield from _port_faults(component, known)


def _port_faults(component: Component, known: KnownComponent) -> Iterator[Fault]:
    port = component.port
    if known.port and port != known.port:
        yield _fault(component, f"has port {port}, and its image listens on {known.port}", f"write {known.port}")
    if component.id == "broker" and port == SERVICES_PORT:
        yield _fault(component, f"has port {port}, which is the one for services", "write another, as 8883")
    if component.health_port:
        problem = f"has port {component.health_port} apart for its health, and Motcua answers at its one port"
        yield _fault(component, problem, "leave health_port empty")


def _fault(component: Component, problem: str, remedy: str) -> Fault:
    return declaration_fault(component.declared_at, "components.csv", component.path, problem, remedy)
