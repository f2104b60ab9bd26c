"""Names and labels of what hosted systems get: at most 63 characters, and two names never meet. Pure.

A name must hold no agency, level or size: all three change while the name stays.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from telemetry.core.cloud.physical_names import DIGEST_CHARACTERS, short_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud.values import Endpoint
    from telemetry.core.cloud.values import Component, HostedSystem

DATABASE_OPERATOR = "cloudnative-pg"
CLUSTER_API = "kubernetes-api"
"""The cluster's API server, as the name of a platform end."""


def drill_name(namespace: str) -> str:
    """Return the namespace of the restore drills of a zone; no zone's own name ends like it."""
    return short_name(namespace, "drill")


def project_name(system: str, stage: str) -> str:
    """Return the name of a system's project; `system` is its first id."""
    return short_name(system, stage)


def policy_name(source: Endpoint, target: Endpoint, port: str, way: str) -> str:
    """Return `{from}-to-{to}-{port}-{way}`; `way` is `out` or `in`, and `port` may hold a protocol.

    An end of another system, outside or of the platform has a dot, which no id has; a dash inside of an id cannot
    move the boundary between the ends unseen: then the name ends with a digest.
    """
    across = source.kind == target.kind == "component" and source.system != target.system
    ends = [_end_name(end, with_system=across) for end in (source, target)]
    joined = "-to-".join(ends)
    if len(re.findall("(?=-to-)", joined)) > 1:
        digest = sha256("\0".join(ends).encode()).hexdigest()[:DIGEST_CHARACTERS]
        return short_name(joined, digest, port, way)
    return short_name(joined, port, way)


def _end_name(end: Endpoint, *, with_system: bool) -> str:
    if end.kind == "component":
        return f"{end.system}.{end.name}" if with_system else end.name
    return f"{end.kind}.{end.name}"


def system_labels(province: str, stage: str, system: HostedSystem) -> Mapping[str, str]:
    """Return the labels of everything that a system has; owner, level and data change here, never in a name."""
    return {
        "app.kubernetes.io/part-of": "motcua",
        "app.kubernetes.io/managed-by": "pulumi",
        "motcua.org/province": province,
        "motcua.org/stage": stage,
        "motcua.org/system": system.id,
        "motcua.org/owner": system.owner,
        "motcua.org/level": str(system.level),
        "motcua.org/data": system.data,
        "motcua.org/data-class": system.data,
    }


def component_labels(zone_labels: Mapping[str, str], component: Component) -> Mapping[str, str]:
    """Return the labels of a component's objects: those of its zone, and its own."""
    return {**zone_labels, "app.kubernetes.io/name": component.id, "motcua.org/component": component.id}
