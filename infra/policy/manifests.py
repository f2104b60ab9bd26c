"""Rules over Kubernetes objects as mappings: hardened pods, pinned images, closed balancers, no secret in the open.

Pure. A value that a preview does not know yet is `UNKNOWN`, and never a breach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from infra.policy.leaks import REMEDY, secret_in
from infra.policy.values import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.policy.values import Finding

UNKNOWN = "(unknown)"
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
SECRET_NAME = re.compile(r"(?i)(token|password|passwd|secret|private.?key|api.?key)s?$")
PART_OF, STAGE = "app.kubernetes.io/part-of", "motcua.org/stage"
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_UNLABELLED = {"List", "CustomResourceDefinition", "Kustomization"}
Object = dict[str, Any]


def manifests(objects: Iterable[Mapping[str, object]]) -> list[Finding]:
    """Return every breach of Kubernetes objects."""
    return sorted(found for one in objects for found in examined(one))


def examined(given: Mapping[str, object]) -> Iterator[Finding]:
    """Yield the breaches of one object; one labelled with another stage than prod may pin its image by a tag."""
    one = cast("Object", given)
    stage = str(_map(_map(one.get("metadata")).get("labels")).get(STAGE, "prod"))
    where = f"{one.get('kind', '?')} {_map(one.get('metadata')).get('name', '?')}"
    yield from _labels(one, where)
    if one.get("kind") == "Service":
        yield from _service(_map(one.get("spec")), where)
    if one.get("kind") == "ConfigMap":
        yield from _texts(_map(one.get("data")), where)
    spec = pod_spec(one)
    if spec is not None:
        yield from _pod(spec, where)
        for container in _containers(spec):
            yield from _container(container, _map(spec.get("securityContext")), where)
            yield from _image(container, where, stage)
            yield from _environment(container, where)


def pod_spec(one: Object) -> Object | None:
    """Return the pod within an object that makes pods."""
    spec = _map(one.get("spec"))
    if one.get("kind") == "Pod":
        return spec or None
    if one.get("kind") == "CronJob":
        spec = _map(_map(spec.get("jobTemplate")).get("spec"))
    template = spec.get("template")
    return _map(_map(template).get("spec")) if isinstance(template, dict) else None


def _map(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is(value: object, wanted: object) -> bool:
    return value in (wanted, UNKNOWN)


def _containers(spec: Object) -> list[Object]:
    return [_map(one) for name in ("initContainers", "containers") for one in _list(spec.get(name))]


def _labels(one: Object, where: str) -> Iterator[Finding]:
    labels = _map(one.get("metadata")).get("labels")
    if one.get("kind") in _UNLABELLED or UNKNOWN in (labels, one.get("metadata")):
        return
    if not _map(labels).get(PART_OF):
        yield finding("labels", where, f"has no label {PART_OF}", "give it the stack's labels")


def _service(spec: Object, where: str) -> Iterator[Finding]:
    if spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerSourceRanges"):
        remedy = "name them: kubernetes.deviceSources, kubernetes.apiSources"
        yield finding("balancer-sources", where, "takes connections from every network", remedy)
    if spec.get("type") in {"LoadBalancer", "NodePort"} and any(
        _closed(_map(port)) for port in _list(spec.get("ports"))
    ):
        yield finding("store-closed", where, "offers InfluxDB outside the cluster", "make it ClusterIP")


def _closed(port: Object) -> bool:
    return 8086 in (port.get("port"), port.get("targetPort"))


def _texts(data: Object, where: str) -> Iterator[Finding]:
    for name, text in sorted(data.items()):
        what = secret_in(text) if isinstance(text, str) else ""
        if what:
            yield finding("plain-secret", f"{where}, {name}", f"holds {what}", REMEDY)


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
        "securityContext.seccompProfile.type: RuntimeDefault": bool(_map(both.get("seccompProfile")).get("type")),
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


def _environment(container: Object, where: str) -> Iterator[Finding]:
    for one in (_map(entry) for entry in _list(container.get("env"))):
        value, name = one.get("value"), str(one.get("name", ""))
        if not isinstance(value, str) or value in {"", UNKNOWN} or value.startswith(("/", "$(")):
            continue
        what = secret_in(value) or ("a value under the name of a secret" if SECRET_NAME.search(name) else "")
        if what:
            yield finding("plain-secret", f"{where}, env {name}", f"holds {what}", "take it from a Secret: valueFrom")
