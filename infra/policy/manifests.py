"""Rules over Kubernetes objects as mappings: hardened pods, pinned images, closed balancers, no secret in the open.

Pure. A value that a preview does not know yet is `UNKNOWN`, and never a breach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from infra.policy import exposed
from infra.policy.leaks import secret_in
from infra.policy.objects import UNKNOWN, Object, is_or_unknown as _is, listed as _list, mapping as _map
from infra.policy.values import finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.policy.values import Finding

DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
SECRET_NAME = re.compile(r"(?i)(token|password|passwd|secret|private.?key|api.?key)s?$")
PART_OF, STAGE = "app.kubernetes.io/part-of", "motcua.org/stage"
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_SECCOMP = ("RuntimeDefault", "Localhost", UNKNOWN)
_UNLABELLED = {"List", "CustomResourceDefinition", "Kustomization"}


def manifests(objects: Iterable[Mapping[str, object]]) -> list[Finding]:
    """Return every breach of Kubernetes objects."""
    return sorted(found for one in objects for found in examined(one))


def examined(given: Mapping[str, object]) -> Iterator[Finding]:
    """Yield the breaches of one object; one labelled with another stage than prod may pin its image by a tag."""
    one = cast("Object", given)
    for inner in _list(one.get("items")) if str(one.get("kind")).endswith("List") else ():
        yield from examined(_map(inner))
    stage = str(_map(_map(one.get("metadata")).get("labels")).get(STAGE, "prod"))
    where = f"{one.get('kind', '?')} {_map(one.get('metadata')).get('name', '?')}"
    yield from _labels(one, where)
    kind, spec = str(one.get("kind")), _map(one.get("spec"))
    yield from _KINDS.get(kind, _nothing)(one if kind in _WHOLE else spec, where)
    pod = pod_spec(one)
    if pod is not None:
        yield from _pod(pod, where)
        for container in _containers(pod):
            yield from _container(container, _map(pod.get("securityContext")), where)
            yield from _image(container, where, stage)
            yield from _environment(container, where)
            yield from _words(container, where)


def pod_spec(one: Object) -> Object | None:
    """Return the pod within an object that makes pods."""
    spec = _map(one.get("spec"))
    if one.get("kind") == "Pod":
        return spec or None
    if one.get("kind") == "CronJob":
        spec = _map(_map(spec.get("jobTemplate")).get("spec"))
    template = spec.get("template")
    return _map(_map(template).get("spec")) if isinstance(template, dict) else None


def _containers(spec: Object) -> list[Object]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [_map(one) for name in kinds for one in _list(spec.get(name))]


def _labels(one: Object, where: str) -> Iterator[Finding]:
    labels = _map(one.get("metadata")).get("labels")
    if one.get("kind") in _UNLABELLED or UNKNOWN in (labels, one.get("metadata")):
        return
    if not _map(labels).get(PART_OF):
        yield finding("labels", where, f"has no label {PART_OF}", "give it the stack's labels")


def _pod(spec: Object, where: str) -> Iterator[Finding]:
    for name in _HOST:
        if spec.get(name) is True:
            yield finding("pod-hardened", where, f"has {name}", "take it out")
    if not _is(spec.get("automountServiceAccountToken"), wanted=False):
        remedy = "set automountServiceAccountToken: false"
        yield finding("pod-hardened", where, "carries the cluster's token", remedy)
    if any("hostPath" in _map(volume) for volume in _list(spec.get("volumes"))):
        yield finding("pod-hardened", where, "mounts a folder of the node", "use a volume claim")


def _container(container: Object, pod: Object, where: str) -> Iterator[Finding]:
    place, own = f"{where}, container {container.get('name', '?')}", _map(container.get("securityContext"))
    if UNKNOWN in (container.get("securityContext"), pod):
        return
    both = {**pod, **own}
    wrong = {
        "securityContext.privileged: false": own.get("privileged") is not True,
        "securityContext.runAsNonRoot: true": _is(both.get("runAsNonRoot"), wanted=True) and both.get("runAsUser") != 0,
        "securityContext.allowPrivilegeEscalation: false": _is(own.get("allowPrivilegeEscalation"), wanted=False),
        "securityContext.readOnlyRootFilesystem: true": _is(own.get("readOnlyRootFilesystem"), wanted=True),
        "securityContext.capabilities.drop: [ALL]": "ALL" in _list(_map(own.get("capabilities")).get("drop")),
        "capabilities that drop alone": set(_list(_map(own.get("capabilities")).get("add"))) <= {"NET_BIND_SERVICE"},
        "securityContext.seccompProfile.type: RuntimeDefault": _map(both.get("seccompProfile")).get("type") in _SECCOMP,
        "securityContext.procMount: Default": own.get("procMount", "Default") in ("Default", None, UNKNOWN),
        "ports of the pod alone": not any(_map(port).get("hostPort") for port in _list(container.get("ports"))),
        "resources.limits": bool(_map(container.get("resources")).get("limits")),
    }
    for setting, good in wrong.items():
        if not good:
            yield finding("pod-hardened", place, f"is without {setting}", "set it")


def _image(container: Object, where: str, stage: str) -> Iterator[Finding]:
    image = str(container.get("image", ""))
    if image == UNKNOWN or DIGEST.fullmatch(image):
        return
    place, tag = f"{where}, image {image or '?'}", image.rpartition("/")[2].partition(":")[2]
    if tag in {"", "latest"}:
        yield finding("image-pinned", place, "means another image tomorrow", "pin it: kubernetes.imageDigests")
        return
    rule = "image-pinned" if stage == "prod" else "image-digest"
    yield finding(rule, place, "is pinned by a tag, which can be moved", "pin its digest: kubernetes.imageDigests")


def _words(container: Object, where: str) -> Iterator[Finding]:
    """Name secrets among a container's words: who may list processes reads them."""
    for name in ("command", "args"):
        texts = [one for one in _list(container.get(name)) if isinstance(one, str)]
        what = secret_in("\n".join(texts)) or secret_in(" ".join(texts))
        if what:
            yield finding("plain-secret", f"{where}, {name}", f"holds {what}", "take it from a Secret: valueFrom")


def _environment(container: Object, where: str) -> Iterator[Finding]:
    for one in (_map(entry) for entry in _list(container.get("env"))):
        value, name = one.get("value"), str(one.get("name", ""))
        if not isinstance(value, str) or value in {"", UNKNOWN} or value.startswith("$("):
            continue
        what = secret_in(value) or ("a value under the name of a secret" if SECRET_NAME.search(name) else "")
        if what:
            yield finding("plain-secret", f"{where}, env {name}", f"holds {what}", "take it from a Secret: valueFrom")


def _nothing(_: Object, __: str) -> Iterator[Finding]:
    return iter(())


_KINDS: Mapping[str, Callable[[Object, str], Iterator[Finding]]] = {
    "Service": exposed.service,
    "Ingress": exposed.ingress,
    "NetworkPolicy": exposed.network,
    "ConfigMap": exposed.texts,
    "Namespace": exposed.namespace,
}
_WHOLE = ("ConfigMap", "Namespace")
"""Kinds whose content does not stand in `spec`."""
