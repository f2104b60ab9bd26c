"""Rules over Kubernetes objects: hardened pods, pinned images, closed Services and Ingresses, no plain secret.

Pure; an object may have any form: what is missing or of another type counts as empty. A value that is
unknown in a preview is `UNKNOWN`, and never a breach.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, cast

from infra.policy.catalogue import new_finding
from infra.policy.rules import is_open_network
from infra.policy.secret_scan import PLAIN_TEXT_REMEDY, secret_kind_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.policy.catalogue import Finding

UNKNOWN = "(unknown)"
"""The value of anything unknown in a preview."""
KubernetesObject = dict[str, Any]
COMPONENT_LABEL, POD_SECURITY_LABEL = "app.kubernetes.io/component", "pod-security.kubernetes.io/enforce"
STORE_COMPONENT, STORE_PORT = "influxdb", 8086
_SOURCES_REMEDY = "name them: kubernetes.deviceSources, kubernetes.apiSources"
PINNED_IMAGE = re.compile(r".+@sha256:[0-9a-f]{64}")
SECRET_NAME_PATTERN = re.compile(r"(?i)(token|password|passwd|secret|private.?key|api.?key)s?$")
PART_OF_LABEL, STAGE_LABEL = "app.kubernetes.io/part-of", "motcua.org/stage"
_HOST_SETTINGS = ("hostNetwork", "hostPID", "hostIPC")
_SECCOMP_TYPES = ("RuntimeDefault", "Localhost", UNKNOWN)
_WORKLOAD_KINDS = {
    "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob",
}  # fmt: skip
"""Kinds whose `template` is of pods; that of another kind is one when it has a pod's spec."""
_UNLABELLED_KINDS = {"List", "CustomResourceDefinition", "Kustomization"}


def as_mapping(value: object) -> KubernetesObject:
    """Return a mapping, or an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a list, or an empty one for any other value."""
    return value if isinstance(value, list) else []


def equals_or_unknown(value: object, expected: object) -> bool:
    """Return whether a value is the expected one, or may become it."""
    return value in (expected, UNKNOWN)


def check_manifests(objects: Iterable[Mapping[str, object]]) -> list[Finding]:
    """Return every breach of Kubernetes objects."""
    return sorted(violation for manifest in objects for violation in check_manifest(manifest))


def check_manifest(manifest: Mapping[str, object]) -> Iterator[Finding]:
    """Yield the breaches of one object; one labelled with another stage than prod may pin its image by a tag."""
    obj = cast("KubernetesObject", manifest)
    for inner in as_list(obj.get("items")) if str(obj.get("kind")).endswith("List") else ():
        yield from check_manifest(as_mapping(inner))
    stage = str(as_mapping(as_mapping(obj.get("metadata")).get("labels")).get(STAGE_LABEL, "prod"))
    where = f"{obj.get('kind', '?')} {as_mapping(obj.get('metadata')).get('name', '?')}"
    yield from _check_labels(obj, where)
    kind, spec = str(obj.get("kind")), as_mapping(obj.get("spec"))
    if kind in _CHECKS_BY_KIND:
        yield from _CHECKS_BY_KIND[kind](obj if kind in _KINDS_WITHOUT_SPEC else spec, where)
    pod = pod_spec(obj)
    if pod is not None:
        yield from _check_pod(pod, where)
        for container in _pod_containers(pod):
            yield from _check_container(container, as_mapping(pod.get("securityContext")), where)
            yield from _check_image(container, where, stage)
            yield from _check_environment(container, where)
            yield from _check_arguments(container, where)


def pod_spec(obj: KubernetesObject) -> KubernetesObject | None:
    """Return the pod spec of a workload; None for other objects."""
    spec = as_mapping(obj.get("spec"))
    if obj.get("kind") == "Pod":
        return spec or None
    if obj.get("kind") == "CronJob":
        spec = as_mapping(as_mapping(spec.get("jobTemplate")).get("spec"))
    template = spec.get("template")
    if not isinstance(template, dict) or (obj.get("kind") not in _WORKLOAD_KINDS and "spec" not in template):
        return None
    return as_mapping(template.get("spec"))


def _pod_containers(spec: KubernetesObject) -> list[KubernetesObject]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [as_mapping(entry) for name in kinds for entry in as_list(spec.get(name))]


def _check_labels(obj: KubernetesObject, where: str) -> Iterator[Finding]:
    labels = as_mapping(obj.get("metadata")).get("labels")
    if obj.get("kind") in _UNLABELLED_KINDS or UNKNOWN in (labels, obj.get("metadata")):
        return
    if not as_mapping(labels).get(PART_OF_LABEL):
        yield new_finding("labels", where, f"has no label {PART_OF_LABEL}", "give it the stack's labels")


def _check_pod(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    for name in _HOST_SETTINGS:
        if spec.get(name) is True:
            yield new_finding("pod-hardened", where, f"has {name}", "remove it")
    if not equals_or_unknown(spec.get("automountServiceAccountToken"), expected=False):
        remedy = "set automountServiceAccountToken: false"
        yield new_finding("pod-hardened", where, "mounts the cluster's token", remedy)
    if any("hostPath" in as_mapping(volume) for volume in as_list(spec.get("volumes"))):
        yield new_finding("pod-hardened", where, "mounts a host path of the node", "use a volume claim")


def _check_container(container: KubernetesObject, pod: KubernetesObject, where: str) -> Iterator[Finding]:
    location, own = f"{where}, container {container.get('name', '?')}", as_mapping(container.get("securityContext"))
    if UNKNOWN in (container.get("securityContext"), pod):
        return
    effective = {**pod, **own}
    requirements = {
        "securityContext.privileged: false": own.get("privileged") is not True,
        "securityContext.runAsNonRoot: true": equals_or_unknown(effective.get("runAsNonRoot"), expected=True)
        and effective.get("runAsUser") != 0,
        "securityContext.allowPrivilegeEscalation: false": equals_or_unknown(
            own.get("allowPrivilegeEscalation"), expected=False
        ),
        "securityContext.readOnlyRootFilesystem: true": equals_or_unknown(
            own.get("readOnlyRootFilesystem"), expected=True
        ),
        "securityContext.capabilities.drop: [ALL]": "ALL" in as_list(as_mapping(own.get("capabilities")).get("drop")),
        "capabilities that drop alone": set(as_list(as_mapping(own.get("capabilities")).get("add")))
        <= {"NET_BIND_SERVICE"},
        "securityContext.seccompProfile.type: RuntimeDefault": as_mapping(effective.get("seccompProfile")).get("type")
        in _SECCOMP_TYPES,
        "securityContext.procMount: Default": own.get("procMount", "Default") in ("Default", None, UNKNOWN),
        "ports of the pod alone": not any(as_mapping(port).get("hostPort") for port in as_list(container.get("ports"))),
        "resources.limits": bool(as_mapping(container.get("resources")).get("limits")),
    }
    for setting, good in requirements.items():
        if not good:
            yield new_finding("pod-hardened", location, f"lacks {setting}", "set it")


def _check_image(container: KubernetesObject, where: str, stage: str) -> Iterator[Finding]:
    image = str(container.get("image", ""))
    if image == UNKNOWN or PINNED_IMAGE.fullmatch(image):
        return
    location, tag = f"{where}, image {image or '?'}", image.rpartition("/")[2].partition(":")[2]
    if tag in {"", "latest"}:
        yield new_finding(
            "image-pinned",
            location,
            "has no version, so that its content can change",
            "pin it: kubernetes.imageDigests",
        )
        return
    rule = "image-pinned" if stage == "prod" else "image-digest"
    yield new_finding(
        rule, location, "is pinned by a tag, which can be moved", "pin its digest: kubernetes.imageDigests"
    )


def _check_arguments(container: KubernetesObject, where: str) -> Iterator[Finding]:
    """Report secrets in a container's command line: anyone who may list processes reads them."""
    for name in ("command", "args"):
        texts = [argument for argument in as_list(container.get(name)) if isinstance(argument, str)]
        what = secret_kind_in("\n".join(texts)) or secret_kind_in(" ".join(texts))
        if what:
            yield new_finding("plain-secret", f"{where}, {name}", f"holds {what}", "take it from a Secret: valueFrom")


def _check_environment(container: KubernetesObject, where: str) -> Iterator[Finding]:
    for variable in (as_mapping(entry) for entry in as_list(container.get("env"))):
        value, name = variable.get("value"), str(variable.get("name", ""))
        if not isinstance(value, str) or value in {"", UNKNOWN} or value.startswith("$("):
            continue
        what = secret_kind_in(value) or (
            "a value under the name of a secret" if SECRET_NAME_PATTERN.search(name) else ""
        )
        if what:
            yield new_finding(
                "plain-secret", f"{where}, env {name}", f"holds {what}", "take it from a Secret: valueFrom"
            )


def check_service(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    """Report Services that are open to every network, and any that exposes InfluxDB."""
    kind, networks = spec.get("type"), spec.get("loadBalancerSourceRanges")
    bare = kind == "NodePort" or bool(spec.get("externalIPs")) or (kind == "LoadBalancer" and not networks)
    if bare:
        yield new_finding("balancer-sources", where, "accepts connections from every network", _SOURCES_REMEDY)
    elif kind == "LoadBalancer" and any(is_open_network(str(source)) for source in as_list(networks)):
        yield new_finding("devices-from-anywhere", where, "accepts connections from every network", _SOURCES_REMEDY)
    if (bare or kind == "LoadBalancer") and _exposes_store(spec):
        yield new_finding("store-closed", where, "offers InfluxDB outside the cluster", "make it ClusterIP")


def _exposes_store(spec: KubernetesObject) -> bool:
    ports = [as_mapping(port) for port in as_list(spec.get("ports"))]
    picked = as_mapping(spec.get("selector")).get(COMPONENT_LABEL) == STORE_COMPONENT
    return picked or any(STORE_PORT in (port.get("port"), port.get("targetPort")) for port in ports)


def check_ingress(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    """Report Ingresses that lead to InfluxDB, or have no TLS."""
    rules = [as_mapping(as_mapping(rule).get("http")) for rule in as_list(spec.get("rules"))]
    paths = [as_mapping(path).get("backend") for rule in rules for path in as_list(rule.get("paths"))]
    services = [as_mapping(as_mapping(backend).get("service")) for backend in (*paths, spec.get("defaultBackend"))]
    if any(
        backend.get("name") == STORE_COMPONENT or as_mapping(backend.get("port")).get("number") == STORE_PORT
        for backend in services
    ):
        yield new_finding("store-closed", where, "offers InfluxDB outside the cluster", "remove the path")
    if not spec.get("tls"):
        yield new_finding("listener-tls", where, "serves without TLS", "give it a certificate: tls")


def check_network_policy(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    """Report policies that allow every network to every port: they override the default, which is to deny all."""
    for rule in (as_mapping(entry) for entry in as_list(spec.get("ingress"))):
        sources = [as_mapping(as_mapping(entry).get("ipBlock")).get("cidr", "") for entry in as_list(rule.get("from"))]
        anybody = not rule.get("from") or any(is_open_network(str(entry)) for entry in sources)
        if anybody and not rule.get("ports"):
            yield new_finding("open-to-all", where, "allows every network to every port", "name sources and ports")
        store = (
            as_mapping(as_mapping(spec.get("podSelector")).get("matchLabels")).get(COMPONENT_LABEL) == STORE_COMPONENT
        )
        if anybody and (store or any(_port_of_rule(entry) == STORE_PORT for entry in as_list(rule.get("ports")))):
            yield new_finding("store-closed", where, "allows every network to InfluxDB", "name the pods that need it")


def _port_of_rule(entry: object) -> object:
    return as_mapping(entry).get("port")


def check_config_map(manifest: KubernetesObject, where: str) -> Iterator[Finding]:
    """Report secrets in a ConfigMap."""
    data = {
        **as_mapping(manifest.get("data")),
        **{k: _decode_base64(v) for k, v in as_mapping(manifest.get("binaryData")).items()},
    }
    for name, text in sorted(data.items()):
        what = secret_kind_in(text) if isinstance(text, str) else ""
        if what:
            yield new_finding("plain-secret", f"{where}, {name}", f"holds {what}", PLAIN_TEXT_REMEDY)


def _decode_base64(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode(errors="replace")
    except (ValueError, binascii.Error):
        return ""


def check_namespace(manifest: KubernetesObject, where: str) -> Iterator[Finding]:
    """Report a namespace in which pods that are not restricted may run."""
    labels = as_mapping(manifest.get("metadata")).get("labels")
    if labels != UNKNOWN and not equals_or_unknown(as_mapping(labels).get(POD_SECURITY_LABEL), "restricted"):
        yield new_finding(
            "pod-hardened", where, "accepts pods that are not restricted", f"label it {POD_SECURITY_LABEL}: restricted"
        )


_CHECKS_BY_KIND: Mapping[str, Callable[[KubernetesObject, str], Iterator[Finding]]] = {
    "Service": check_service,
    "Ingress": check_ingress,
    "NetworkPolicy": check_network_policy,
    "ConfigMap": check_config_map,
    "Namespace": check_namespace,
}
_KINDS_WITHOUT_SPEC = ("ConfigMap", "Namespace")
"""Kinds whose content is not in `spec`."""
