"""TLS inside hosted systems: a certificate for each component that listens, and the authority that callers trust. Pure.

It must not hold a key: cert-manager makes keys in the cluster. The authority's certificate is public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.own_system import serves_inside_tls
from infra.targets.kubernetes.cloud.objects import component_manifest, has_own_pods, object_name, zone_manifest
from infra.targets.kubernetes.component_tls import (
    AUTHORITY_KEY,
    AUTHORITY_NAME,
    CERTIFICATE_FILE,
    KEY_FILE,
    TLS_FOLDER,
    certificate_secret,
)
from infra.targets.kubernetes.door import GATEWAY_GROUP
from infra.targets.kubernetes.objects import plain_variables
from telemetry.core.cloud.encryption import speaks_tls
from telemetry.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.plan.cloud.values import ComponentPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest

TLS_VOLUME = "tls"
OPERATORS_NAMES = {"influxdb": ("localhost",)}
"""Names in the certificates of Motcua's components by which an operator calls them through `kubectl port-forward`."""
LIFE, RENEWED_BEFORE = "2160h", "720h"
"""A certificate lives 90 days and is renewed 30 days before its end."""
DATABASE_SERVICES = ("rw", "r", "ro")
"""The Services that CloudNativePG makes of a database, by their endings."""
RELOAD_LABEL = "cnpg.io/reload"
"""With this label on the Secret the instances of a database load a renewed certificate by themselves."""


def certificate_name(component: ComponentPlan) -> str:
    """Return the Certificate and the Secret of a component inside the cluster; no id has a dot."""
    return certificate_secret(object_name(component.declared))


def has_certificate(spec: HostedSpec, component: ComponentPlan) -> bool:
    """Return whether a component has a certificate of the authority inside: it speaks TLS at a Service of its own.

    A database always does: its operator knows no other way. Motcua's broker has one of Motcua's own authority, which
    devices know.
    """
    if spec.own and spec.own.id == component.declared.system:
        return serves_inside_tls(spec.plan.declaration, component.declared)
    return component.declared.kind == "database" or speaks_tls(spec.plan.declaration, component.declared)


def component_certificates(spec: HostedSpec, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return what a zone's components speak TLS with: the authority's certificate, and one for each that listens."""
    has_pods = any(has_own_pods(one.declared) for one in zone.components)
    if spec.own and spec.own.id == zone.system:
        has_pods = any(has_certificate(spec, one) for one in spec.plan.system(zone.system).components)
    bundle = {AUTHORITY_KEY: spec.options.cloud.internal_authority}
    authority = zone_manifest(zone, "v1 ConfigMap", AUTHORITY_NAME, "authority", data=bundle)
    certificates = (_certificate(spec, one) for one in zone.components if has_certificate(spec, one))
    return (*((authority,) if has_pods else ()), *certificates)


def _certificate(spec: HostedSpec, component: ComponentPlan) -> Manifest:
    """Return a component's Certificate: renewed in time with a new key, for all names of its Service."""
    is_own = spec.own is not None and spec.own.id == component.declared.system
    body: Manifest = {
        "secretName": certificate_name(component),
        "dnsNames": [*service_names(component), *(OPERATORS_NAMES.get(component.declared.id, ()) if is_own else ())],
        "duration": LIFE,
        "renewBefore": RENEWED_BEFORE,
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": spec.options.cloud.internal_issuer},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }
    if component.declared.kind == "database":
        body["secretTemplate"] = {"labels": {RELOAD_LABEL: ""}}
    return component_manifest(component, "cert-manager.io/v1 Certificate", certificate_name(component), spec=body)


def service_names(component: ComponentPlan) -> Iterator[str]:
    """Yield the names by which a component is called in the cluster; instances with names of their own have these."""
    kind, name, namespace = component.declared.kind, object_name(component.declared), component.namespace
    services = [f"{name}-{ending}" for ending in DATABASE_SERVICES] if kind == "database" else [name]
    for service in services:
        yield from (service, f"{service}.{namespace}", f"{service}.{namespace}.svc")
    if kind in {"cache", "app"}:
        yield f"*.{name}.{namespace}.svc"
    if kind == "queue":
        yield f"*.{name}-nodes.{namespace}.svc"


def tls_volume(spec: HostedSpec, component: ComponentPlan) -> Manifest:
    """Return the volume with the authority's certificates and, where the component has one, its own with the key."""
    sources: list[Manifest] = [_volume_source("configMap", AUTHORITY_NAME, (AUTHORITY_KEY,))]
    if has_certificate(spec, component):
        sources.append(_volume_source("secret", certificate_name(component), (CERTIFICATE_FILE, KEY_FILE)))
    return {"name": TLS_VOLUME, "projected": {"sources": sources}}


def _volume_source(kind: str, name: str, files: Iterable[str]) -> Manifest:
    return {kind: {"name": name, "items": [{"key": file, "path": file} for file in files]}}


def tls_variables(spec: HostedSpec, component: ComponentPlan) -> list[Manifest]:
    """Return the variables that say where these files are."""
    files = {"TLS_CA": AUTHORITY_KEY}
    if has_certificate(spec, component):
        files |= {"TLS_CERTIFICATE": CERTIFICATE_FILE, "TLS_KEY": KEY_FILE}
    return plain_variables({name: f"{TLS_FOLDER}/{file}" for name, file in files.items()})


def backend_policy(component: ComponentPlan, host: str, port_name: str) -> Manifest:
    """Return how the gateway calls a component: by TLS, under its name, with a certificate of the authority inside."""
    own = object_name(component.declared)
    body = {
        "targetRefs": [{"group": "", "kind": "Service", "name": own, "sectionName": port_name}],
        "validation": {
            "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": AUTHORITY_NAME}], "hostname": host,
        },
    }  # fmt: skip
    return component_manifest(component, f"{GATEWAY_GROUP}/v1 BackendTLSPolicy", spec=body)


def authority_faults(spec: HostedSpec) -> tuple[Fault, ...]:
    """Return a fault where components need certificates and callers would not know whom to trust."""
    components = (component for system in spec.plan.systems for component in system.components)
    first = next((one.declared.path for one in components if has_certificate(spec, one)), "")
    if spec.options.cloud.internal_authority or not first:
        return ()
    remedy = "write the certificate of the authority behind cloud.internalIssuer: tls.crt of its Secret, PEM"
    problem = f"is empty, and callers of {first} and others would not know which certificates to trust"
    return (Fault("stack configuration", 0, "motcua:cloud.internalAuthority", problem, remedy),)
