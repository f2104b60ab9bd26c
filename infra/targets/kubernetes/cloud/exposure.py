"""How people and partners reach a system: listeners at the shared gateway, routes, certificates. Pure.

Each system brings its own listeners (a ListenerSet) to the gateway of its exposure, so that a new system edits nothing
that belongs to another. A component of kind gateway ends its TLS itself: the edge passes it through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.connections import edge_port, flow_endpoint
from infra.targets.kubernetes.cloud.encryption import backend_policy, has_certificate
from infra.targets.kubernetes.cloud.objects import component_manifest, exposures_of, object_name
from infra.targets.kubernetes.cloud.pods import SERVICE_PORT_NAME, service_host
from infra.targets.kubernetes.door import GATEWAY_GROUP
from telemetry.errors import Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import ComponentPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest


@dataclass(frozen=True, slots=True)
class ExposedComponent:
    """A component that the edge reaches: the gateway, the ports at the edge, the host, the component's own port."""

    component: ComponentPlan
    gateway: str
    edge_ports: tuple[int, ...]
    host: str
    port: int

    @property
    def passes_through(self) -> bool:
        """Return whether TLS ends at the component instead of the edge."""
        return self.component.declared.kind == "gateway"


def exposed_components(spec: HostedSpec, system: SystemPlan) -> tuple[ExposedComponent, ...]:
    """Return what of a system the edge reaches."""
    return tuple(
        ExposedComponent(
            component,
            connections[0].source.name,
            _edge_ports(spec, component),
            system.declared.host,
            next((one.port for one in connections if one.port == component.declared.port), connections[0].port),
        )
        for component in system.components
        if (connections := exposures_of(spec, component))
    )


def _edge_ports(spec: HostedSpec, component: ComponentPlan) -> tuple[int, ...]:
    """Return the ports at which the edge accepts the parties outside that reach a component."""
    declaration, declared = spec.plan.declaration, component.declared
    from_outside = (flow for flow in declaration.flows if flow.source.kind == "outside")
    sources = (flow.source for flow in from_outside if str(flow.target) == declared.path)
    ends = (flow_endpoint(declaration, source, {}) for source in sources)
    return tuple(sorted({edge_port(declared, end) for end in ends if end is not None}))


def exposure_faults(spec: HostedSpec, system: SystemPlan) -> tuple[Fault, ...]:
    """Return a fault for each second component that the same host and port would lead to."""
    first: dict[int, str] = {}
    faults = []
    for exposed in exposed_components(spec, system):
        for port in exposed.edge_ports:
            other = first.setdefault(port, exposed.component.declared.id)
            if other != exposed.component.declared.id:
                declared = exposed.component.declared
                path = declared.path
                problem = f"{path} and {other} would both be at {exposed.host}:{port}"
                remedy = "reach one of them from inside only, or make it a system with a host of its own"
                faults.append(declaration_fault(declared.declared_at, "components.csv", path, problem, remedy))
    return tuple(faults)


def exposure_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return listeners, routes and certificates of the zone's exposed components."""
    exposed = (one for one in exposed_components(spec, system) if one.component in zone.components)
    return tuple(manifest for one in exposed for manifest in _exposed_manifests(spec, one))


def _exposed_manifests(spec: HostedSpec, exposed: ExposedComponent) -> Iterator[Manifest]:
    if not exposed.passes_through:
        yield _certificate(spec, exposed)
    yield _listeners(spec, exposed)
    yield _route(exposed)
    if not exposed.passes_through and has_certificate(spec, exposed.component):
        yield backend_policy(exposed.component, service_host(exposed.component), SERVICE_PORT_NAME)


def certificate_secret(component: ComponentPlan) -> str:
    """Return the Secret with the certificate that people see."""
    return f"{object_name(component.declared)}-public-tls"


def _certificate(spec: HostedSpec, exposed: ExposedComponent) -> Manifest:
    body = {
        "secretName": certificate_secret(exposed.component),
        "dnsNames": [exposed.host],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": spec.options.cloud.cluster_issuer},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }
    return component_manifest(exposed.component, "cert-manager.io/v1 Certificate", spec=body)


def _listeners(spec: HostedSpec, exposed: ExposedComponent) -> Manifest:
    """Return the listeners for the system's host at the gateway of the exposure; routes come from the zone alone."""
    protocol, route = ("TLS", "TLSRoute") if exposed.passes_through else ("HTTPS", "HTTPRoute")
    secret = {"kind": "Secret", "name": certificate_secret(exposed.component)}
    ending: Manifest = {"mode": "Terminate", "certificateRefs": [secret]}
    listeners = [
        {
            "name": f"{protocol.lower()}-{port}",
            "hostname": exposed.host,
            "port": port,
            "protocol": protocol,
            "tls": {"mode": "Passthrough"} if exposed.passes_through else ending,
            "allowedRoutes": {"kinds": [{"group": GATEWAY_GROUP, "kind": route}], "namespaces": {"from": "Same"}},
        }
        for port in exposed.edge_ports
    ]
    parent = {
        "group": GATEWAY_GROUP, "kind": "Gateway",
        "name": exposed.gateway, "namespace": spec.options.cloud.edge_namespace,
    }  # fmt: skip
    body = {"parentRef": parent, "listeners": listeners}
    return component_manifest(exposed.component, f"{GATEWAY_GROUP}/v1 ListenerSet", spec=body)


def _route(exposed: ExposedComponent) -> Manifest:
    name = object_name(exposed.component.declared)
    parent = {"group": GATEWAY_GROUP, "kind": "ListenerSet", "name": name}
    rule = {"backendRefs": [{"kind": "Service", "name": name, "port": exposed.port}]}
    body = {"parentRefs": [parent], "hostnames": [exposed.host], "rules": [rule]}
    kind = "TLSRoute" if exposed.passes_through else "HTTPRoute"
    return component_manifest(exposed.component, f"{GATEWAY_GROUP}/v1 {kind}", spec=body)
