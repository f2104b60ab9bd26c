"""Pods of hosted components: hardened, sized, spread, with images by digest. Pure; it must not decide what runs inside.

Everything satisfies Kubernetes' Pod Security Standard `restricted`, but for a component under a dated exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.policy.cloud.admission_checks import ZONE_LABEL
from infra.targets.kubernetes.cloud.encryption import TLS_VOLUME, has_certificate, tls_variables, tls_volume
from infra.targets.kubernetes.cloud.objects import (
    SEPARATED_LEVEL,
    component_labels,
    image_reference,
    is_end,
    keeps_volumes,
    object_name,
    platform_url,
    pod_selector,
)
from infra.targets.kubernetes.component_tls import TLS_FOLDER
from infra.targets.kubernetes.objects import dns_name, empty_dir, plain_variables, secret_variable
from infra.targets.kubernetes.pods import probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.cloud.values import ComponentPlan, SystemPlan
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest

CPU_BURST = 4
"""A container's limit of processor time is this many times its request."""
CREDENTIAL_KEYS: Mapping[str, tuple[str, ...]] = {
    "database": ("username", "password"), "queue": ("username", "password"), "objects": ("access-key", "secret-key"),
}  # fmt: skip
"""What the vault holds for a kind of component that is called."""
SERVICE_PORT_NAME = "service"
HEALTH_PORT_NAME = "health"
"""The port of health and administration, where a component has one apart from its service."""
DATA_VOLUME, DATA_FOLDER = "data", "/data"
VOLUME_GROUP = 10_001
"""The group that owns the files of volumes."""


def pod_template(
    spec: HostedSpec, system: SystemPlan, component: ComponentPlan, *, storage_class: str = "", hardened: bool = True
) -> Manifest:
    """Return the pod template of a component, with a class for its scratch disk.

    It is not `hardened` only under a dated exception of the declaration.
    """
    security: Manifest = {"seccompProfile": {"type": "RuntimeDefault"}}
    if hardened:
        security |= {"runAsNonRoot": True}
    if component.declared.disk_gb:
        security |= {"fsGroup": VOLUME_GROUP, "fsGroupChangePolicy": "OnRootMismatch"}
    name = object_name(component.declared)
    body: Manifest = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": security,
        "containers": [_container(spec, component, hardened=hardened)],
        "volumes": [*_volumes(component, storage_class), tls_volume(spec, component)],
    }
    body |= scheduling(system, component)
    return {"metadata": {"labels": component_labels(component)}, "spec": body}


def scheduling(system: SystemPlan, component: ComponentPlan) -> Manifest:
    """Return the fields of a pod that say on which hosts it runs; a job's pods are not spread."""
    spread = [] if component.declared.kind == "job" else list(_spread(system, component))
    return {
        "affinity": _pool_affinity(component), **({"topologySpreadConstraints": spread} if spread else {}),
    }  # fmt: skip


def resources(component: ComponentPlan) -> Manifest:
    """Return requests and limits of one instance: memory has a hard limit, processor time may burst."""
    size = component.size
    memory = f"{size.memory_mb}Mi"
    return {
        "requests": {"cpu": f"{size.cpu_millicores}m", "memory": memory},
        "limits": {"cpu": f"{size.cpu_millicores * CPU_BURST}m", "memory": memory},
    }


def service_host(component: ComponentPlan) -> str:
    """Return the host name of a component's Service; a database's is that of its primary."""
    suffix = "-rw" if component.declared.kind == "database" else ""
    return f"{object_name(component.declared)}{suffix}.{component.namespace}.svc"


def credentials_name(target: ComponentPlan) -> str:
    """Return the Secret with the credentials of a database, bucket or queue, equal in all namespaces that have it."""
    return f"{object_name(target.declared)}-access"


def bucket_name(target: ComponentPlan) -> str:
    """Return the name of a bucket at the platform's object store; it never changes."""
    return dns_name(target.namespace, object_name(target.declared))


def called_components(spec: HostedSpec, component: ComponentPlan) -> tuple[ComponentPlan, ...]:
    """Return the components that a component may call, in order of their paths."""
    targets = {
        str(connection.target)
        for connection in spec.plan.connections_of(component.declared.system, component.declared.id)
        if connection.origin != "platform"
        and is_end(component, connection, of_source=True)
        and connection.target.kind == "component"
    }
    return tuple(spec.plan.components_by_path[path] for path in sorted(targets))


def _container(spec: HostedSpec, component: ComponentPlan, *, hardened: bool) -> Manifest:
    mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - an emptyDir
    if component.declared.disk_gb:
        mounts.append({"name": DATA_VOLUME, "mountPath": DATA_FOLDER})
    mounts.append({"name": TLS_VOLUME, "mountPath": TLS_FOLDER, "readOnly": True})
    security: Manifest = {"allowPrivilegeEscalation": False}
    if hardened:
        security |= {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container: Manifest = {
        "name": object_name(component.declared),
        "image": image_reference(spec, component),
        "imagePullPolicy": "IfNotPresent",
        "env": [*tls_variables(spec, component), *_environment(spec, component)],
        "ports": container_ports(component),
        "resources": resources(component),
        "volumeMounts": mounts,
        "securityContext": security,
        **_probes(spec, component),
    }
    return {name: value for name, value in container.items() if value not in ([], {})}


def container_ports(component: ComponentPlan) -> list[Manifest]:
    """Return the ports of a component: of its service, and of its health where that is apart."""
    declared = component.declared
    numbers = {SERVICE_PORT_NAME: declared.port, HEALTH_PORT_NAME: declared.health_port}
    ports = {name: number for name, number in numbers.items() if number}
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _environment(spec: HostedSpec, component: ComponentPlan) -> Iterator[Manifest]:
    """Yield the addresses of what the component may call, and references to their credentials."""
    for target in called_components(spec, component):
        declared = target.declared
        own_system = declared.system == component.declared.system
        words = declared.id if own_system else f"{declared.system}-{declared.id}"
        prefix = words.upper().replace("-", "_").replace(".", "_")
        if declared.kind == "objects":
            yield from plain_variables(
                {f"{prefix}_URL": platform_url(spec, "objects"), f"{prefix}_BUCKET": bucket_name(target)}
            )
        else:
            by_tls = "yes" if has_certificate(spec, target) else "no"
            yield from plain_variables(
                {f"{prefix}_HOST": service_host(target), f"{prefix}_PORT": str(declared.port), f"{prefix}_TLS": by_tls}
            )
        if own_system:
            for key in CREDENTIAL_KEYS.get(declared.kind, ()):
                variable = f"{prefix}_{key.upper().replace('-', '_')}"
                yield secret_variable(variable, credentials_name(target), key)


def _probes(spec: HostedSpec, component: ComponentPlan) -> dict[str, Manifest]:
    """Return the probes of the hosts: by HTTPS at a port that speaks TLS, whose certificate they do not check."""
    declared = component.declared
    if not declared.port or declared.kind == "job":
        return {}
    port = HEALTH_PORT_NAME if declared.health_port else SERVICE_PORT_NAME
    way = ("httpGet", port, declared.health) if declared.health else ("tcpSocket", port)
    by_tls = declared.health and not declared.health_port and has_certificate(spec, component)
    scheme = "HTTPS" if by_tls else ""
    return {
        "startupProbe": probe(*way, scheme=scheme, every_s=5, failures=60),
        "livenessProbe": probe(*way, scheme=scheme, every_s=20),
        "readinessProbe": probe(*way, scheme=scheme),
    }


def _volumes(component: ComponentPlan, storage_class: str) -> list[Manifest]:
    """Return the volumes; a disk of a component without data is scratch, and ends with its pod.

    That of a store is claimed by its StatefulSet.
    """
    volumes = [empty_dir("tmp")]
    if component.declared.disk_gb and not keeps_volumes(component.declared):
        claim = {"spec": volume_claim_spec(component, storage_class)}
        volumes.append({"name": DATA_VOLUME, "ephemeral": {"volumeClaimTemplate": claim}})
    return volumes


def volume_claim_spec(component: ComponentPlan, storage_class: str) -> Manifest:
    """Return the claim of a component's disk."""
    storage = {"storage": f"{component.declared.disk_gb}Gi"}
    claim: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": storage}}
    return claim | ({"storageClassName": storage_class} if storage_class else {})


def _spread(system: SystemPlan, component: ComponentPlan) -> Iterator[Manifest]:
    """Yield the constraints over hosts and zones; from level 3 on two pods never share a host while others are free."""
    strict = system.declared.level >= SEPARATED_LEVEL
    for key, when in (
        ("kubernetes.io/hostname", "DoNotSchedule" if strict else "ScheduleAnyway"),
        ("topology.kubernetes.io/zone", "ScheduleAnyway"),
    ):
        yield {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": when,
            "labelSelector": {"matchLabels": pod_selector(component.declared)},
        }


def _pool_affinity(component: ComponentPlan) -> Manifest:
    """Return the preference for the hosts of the component's zone, where the cluster has pools by zone."""
    match = {"key": ZONE_LABEL, "operator": "In", "values": [component.declared.zone]}
    term = {"weight": 100, "preference": {"matchExpressions": [match]}}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
