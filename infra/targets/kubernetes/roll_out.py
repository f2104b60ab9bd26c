"""The order in which the objects of Motcua's own stack are rolled out, and which of them the engine waits for. Pure.

The engine has few workers, and one that waits for instances does nothing else: what these need comes first. It must
not decide what an object holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.roll_out_order import callees_first
from infra.policy.manifests import COMPONENT_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.plan.values import NetworkFlow
    from infra.targets.kubernetes.objects import Manifest

AWAITED_KINDS = frozenset({"Deployment", "StatefulSet"})
"""Kinds for which the engine waits until all instances run."""
NOT_AWAITED = {"pulumi.com/skipAwait": "true"}
"""The annotation by which the engine goes on at once."""
_BOUND_BY_PODS = frozenset({"Service", "PersistentVolumeClaim"})
"""Kinds for which the engine would wait for pods, which come after them."""


@dataclass(frozen=True, slots=True)
class RollOut:
    """Objects in three steps: what instances need, the workloads, and what works only when these run.

    `workloads` are in an order in which what is called precedes what calls it.
    """

    needed: tuple[Manifest, ...]
    workloads: tuple[Manifest, ...]
    last: tuple[Manifest, ...]


def roll_out(objects: Iterable[Manifest], calls: Mapping[str, Sequence[str]]) -> RollOut:
    """Return the steps of some objects; `calls` are the components that each component calls."""
    needed: list[Manifest] = []
    last: list[Manifest] = []
    workloads: dict[str, list[Manifest]] = {}
    for one in objects:
        if one["kind"] in AWAITED_KINDS:
            workloads.setdefault(component_of(one), []).append(one)
        else:
            (last if _opens_to_outside(one) else needed).append(one)
    ordered = [one for name in callees_first(workloads, calls) for one in workloads[name]]
    return RollOut(tuple(needed), tuple(ordered), tuple(last))


def calls_of(flows: Iterable[NetworkFlow]) -> dict[str, list[str]]:
    """Return the components, and outside parties, that each component calls."""
    calls: dict[str, list[str]] = {}
    for flow in flows:
        calls.setdefault(flow.source, []).append(flow.target)
    return calls


def component_of(manifest: Manifest) -> str:
    """Return the component that an object is for."""
    return str(manifest["metadata"]["labels"][COMPONENT_LABEL])


def without_waiting(manifest: Manifest) -> Manifest:
    """Return an object with the annotation by which the engine does not wait for pods that come later."""
    if manifest["kind"] not in _BOUND_BY_PODS or _opens_to_outside(manifest):
        return manifest
    meta = manifest["metadata"]
    return {**manifest, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **NOT_AWAITED}}}


def _opens_to_outside(manifest: Manifest) -> bool:
    """Return whether an object gets an address of the cluster's surroundings: only when its pods run, and awaited."""
    return bool(manifest["kind"] == "Ingress" or manifest.get("spec", {}).get("type") == "LoadBalancer")
