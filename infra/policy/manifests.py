"""Rules over Kubernetes objects as mappings: hardened pods, pinned images, closed balancers, no secret in the open.

Pure. A value that a preview does not know yet is `UNKNOWN`, and never a breach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from infra.policy import exposed
from infra.policy.leaks import secret_kind_in
from infra.policy.objects import (
    UNKNOWN,
    KubernetesObject,
    as_list as _list,
    as_mapping as _map,
    equals_or_unknown as _is,
)
from infra.policy.values import new_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.policy.values import Finding

PINNED_IMAGE = re.compile(r".+@sha256:[0-9a-f]{64}")
SECRET_NAME_PATTERN = re.compile(r"(?i)(token|password|passwd|secret|private.?key|api.?key)s?$")
PART_OF_LABEL, STAGE_LABEL = "app.kubernetes.io/part-of", "motcua.org/stage"
_HOST_SETTINGS = ("hostNetwork", "hostPID", "hostIPC")
_SECCOMP_TYPES = ("RuntimeDefault", "Localhost", UNKNOWN)
_UNLABELLED_KINDS = {"List", "CustomResourceDefinition", "Kustomization"}


def check_manifests(objects: Iterable[Mapping[str, object]]) -> list[Finding]:
    """Return every breach of Kubernetes objects."""
    return sorted(violation for manifest in objects for violation in check_manifest(manifest))


def check_manifest(manifest: Mapping[str, object]) -> Iterator[Finding]:
    """Yield the breaches of one object; one labelled with another stage than prod may pin its image by a tag."""
    obj = cast("KubernetesObject", manifest)
    for inner in _list(obj.get("items")) if str(obj.get("kind")).endswith("List") else ():
        yield from check_manifest(_map(inner))
    stage = str(_map(_map(obj.get("metadata")).get("labels")).get(STAGE_LABEL, "prod"))
    where = f"{obj.get('kind', '?')} {_map(obj.get('metadata')).get('name', '?')}"
    yield from _check_labels(obj, where)
    kind, spec = str(obj.get("kind")), _map(obj.get("spec"))
    yield from _CHECKS_BY_KIND.get(kind, _no_findings)(obj if kind in _KINDS_WITHOUT_SPEC else spec, where)
    pod = pod_spec(obj)
    if pod is not None:
        yield from _check_pod(pod, where)
        for container in _pod_containers(pod):
            yield from _check_container(container, _map(pod.get("securityContext")), where)
            yield from _check_image(container, where, stage)
            yield from _check_environment(container, where)
            yield from _check_arguments(container, where)


def pod_spec(obj: KubernetesObject) -> KubernetesObject | None:
    """Return the pod within an object that makes pods."""
    spec = _map(obj.get("spec"))
    if obj.get("kind") == "Pod":
        return spec or None
    if obj.get("kind") == "CronJob":
        spec = _map(_map(spec.get("jobTemplate")).get("spec"))
    template = spec.get("template")
    return _map(_map(template).get("spec")) if isinstance(template, dict) else None


def _pod_containers(spec: KubernetesObject) -> list[KubernetesObject]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [_map(entry) for name in kinds for entry in _list(spec.get(name))]


def _check_labels(obj: KubernetesObject, where: str) -> Iterator[Finding]:
    labels = _map(obj.get("metadata")).get("labels")
    if obj.get("kind") in _UNLABELLED_KINDS or UNKNOWN in (labels, obj.get("metadata")):
        return
    if not _map(labels).get(PART_OF_LABEL):
        yield new_finding("labels", where, f"has no label {PART_OF_LABEL}", "give it the stack's labels")


def _check_pod(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    for name in _HOST_SETTINGS:
        if spec.get(name) is True:
            yield new_finding("pod-hardened", where, f"has {name}", "take it out")
    if not _is(spec.get("automountServiceAccountToken"), expected=False):
        remedy = "set automountServiceAccountToken: false"
        yield new_finding("pod-hardened", where, "carries the cluster's token", remedy)
    if any("hostPath" in _map(volume) for volume in _list(spec.get("volumes"))):
        yield new_finding("pod-hardened", where, "mounts a folder of the node", "use a volume claim")


def _check_container(container: KubernetesObject, pod: KubernetesObject, where: str) -> Iterator[Finding]:
    location, own = f"{where}, container {container.get('name', '?')}", _map(container.get("securityContext"))
    if UNKNOWN in (container.get("securityContext"), pod):
        return
    effective = {**pod, **own}
    requirements = {
        "securityContext.privileged: false": own.get("privileged") is not True,
        "securityContext.runAsNonRoot: true": _is(effective.get("runAsNonRoot"), expected=True)
        and effective.get("runAsUser") != 0,
        "securityContext.allowPrivilegeEscalation: false": _is(own.get("allowPrivilegeEscalation"), expected=False),
        "securityContext.readOnlyRootFilesystem: true": _is(own.get("readOnlyRootFilesystem"), expected=True),
        "securityContext.capabilities.drop: [ALL]": "ALL" in _list(_map(own.get("capabilities")).get("drop")),
        "capabilities that drop alone": set(_list(_map(own.get("capabilities")).get("add"))) <= {"NET_BIND_SERVICE"},
        "securityContext.seccompProfile.type: RuntimeDefault": _map(effective.get("seccompProfile")).get("type")
        in _SECCOMP_TYPES,
        "securityContext.procMount: Default": own.get("procMount", "Default") in ("Default", None, UNKNOWN),
        "ports of the pod alone": not any(_map(port).get("hostPort") for port in _list(container.get("ports"))),
        "resources.limits": bool(_map(container.get("resources")).get("limits")),
    }
    for setting, good in requirements.items():
        if not good:
            yield new_finding("pod-hardened", location, f"is without {setting}", "set it")


def _check_image(container: KubernetesObject, where: str, stage: str) -> Iterator[Finding]:
    image = str(container.get("image", ""))
    if image == UNKNOWN or PINNED_IMAGE.fullmatch(image):
        return
    location, tag = f"{where}, image {image or '?'}", image.rpartition("/")[2].partition(":")[2]
    if tag in {"", "latest"}:
        yield new_finding("image-pinned", location, "means another image tomorrow", "pin it: kubernetes.imageDigests")
        return
    rule = "image-pinned" if stage == "prod" else "image-digest"
    yield new_finding(
        rule, location, "is pinned by a tag, which can be moved", "pin its digest: kubernetes.imageDigests"
    )


def _check_arguments(container: KubernetesObject, where: str) -> Iterator[Finding]:
    """Name secrets among a container's words: who may list processes reads them."""
    for name in ("command", "args"):
        texts = [argument for argument in _list(container.get(name)) if isinstance(argument, str)]
        what = secret_kind_in("\n".join(texts)) or secret_kind_in(" ".join(texts))
        if what:
            yield new_finding("plain-secret", f"{where}, {name}", f"holds {what}", "take it from a Secret: valueFrom")


def _check_environment(container: KubernetesObject, where: str) -> Iterator[Finding]:
    for variable in (_map(entry) for entry in _list(container.get("env"))):
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


def _no_findings(_: KubernetesObject, __: str) -> Iterator[Finding]:
    return iter(())


_CHECKS_BY_KIND: Mapping[str, Callable[[KubernetesObject, str], Iterator[Finding]]] = {
    "Service": exposed.check_service,
    "Ingress": exposed.check_ingress,
    "NetworkPolicy": exposed.check_network_policy,
    "ConfigMap": exposed.check_config_map,
    "Namespace": exposed.check_namespace,
}
_KINDS_WITHOUT_SPEC = ("ConfigMap", "Namespace")
"""Kinds whose content does not stand in `spec`."""
