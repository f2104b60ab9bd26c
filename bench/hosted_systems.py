"""The e-government cloud: plan and Kubernetes objects of 40 hosted systems with 4 components each, in 3 stages.

No engine and no server takes part; every preview of the hosted systems begins with this.

Run: python -m bench.hosted_systems
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, get_args

from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.summary import round_figures
from infra.config.options import StackOptions
from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.lock import extended_lock
from infra.targets.kubernetes.cloud.manifests import hosted_manifests
from telemetry.core.cloud.values import (
    CloudDeclaration,
    CloudZone,
    Component,
    ComponentSize,
    Flow,
    FlowEnd,
    Ground,
    HostedSystem,
    Peer,
    PlatformService,
    ZoneNetwork,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMS = 40
STAGES = ("dev", "stage", "prod")
DAY = date(2026, 11, 29)
_AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
_DIGEST = f"sha256:{'0' * 64}"


def build_declaration(count: int) -> CloudDeclaration:
    """Return a declaration of so many systems of level 3, each with web, app, worker and database."""
    idents = [f"vn83-system{number}" for number in range(count)]
    declaration = CloudDeclaration(
        systems={ident: _system(ident) for ident in idents},
        components=tuple(component for ident in idents for component in _components(ident)),
        flows=tuple(flow for ident in idents for flow in _flows(ident)),
        zone_networks=tuple(
            ZoneNetwork(zone, "main", f"10.{at}.0.0/16") for at, zone in enumerate(get_args(CloudZone), 80)
        ),
        sizes={"M": ComponentSize("M", 1000, 2048)},
        peers={"internet": Peer("internet", "internet", ("0.0.0.0/0",))},
        platform={
            "dns": PlatformService("dns", "kube-system", port=53),
            "time": PlatformService("time", address="10.84.0.10", port=123),
            "logs": PlatformService("logs", "platform-logs", port=3100),
            "metrics": PlatformService("metrics", "platform-metrics", port=9090),
            "secrets": PlatformService("secrets", "platform-secrets", port=8200),
            "backup": PlatformService("backup", address="10.84.0.30", port=443),
        },
        ground=Ground(
            network_policies_enforced=True, storage_encrypted=True, etcd_encrypted=True, control_planes=3,
            time_synchronised=True, stages_apart=True,
        ),
    )  # fmt: skip
    return replace(declaration, lock=extended_lock(declaration))


def _system(ident: str) -> HostedSystem:
    return HostedSystem(
        ident, "vn83-ubnd", "vn83-dit", "vn83-police", "public", "personal", 3, "main", 900_000, procedures=True,
        exposure="internet", host=f"{ident}.example",
    )  # fmt: skip


def _components(ident: str) -> Iterator[Component]:
    yield Component(ident, "web", "web", "dmz", "M", 2, 4, port=8080, health="/healthz", image="web", health_port=9080)
    yield Component(ident, "app", "app", "server", "M", 2, 4, port=8081, health="/healthz", image="app")
    yield Component(ident, "worker", "app", "server", "M", 2, 2, port=8082, health="/healthz", image="app")
    yield Component(ident, "db", "database", "database", "M", 3, 3, 200, 5432, image="postgresql")


def _flows(ident: str) -> Iterator[Flow]:
    web, app, worker, db = (FlowEnd("component", name, ident) for name in ("web", "app", "worker", "db"))
    yield Flow(FlowEnd("outside", "internet"), web, 8080, "pages")
    yield Flow(web, app, 8081, "requests")
    yield Flow(app, worker, 8082, "work")
    yield Flow(app, db, 5432, "data")
    yield Flow(worker, db, 5432, "data")


def stack_options(stage: str) -> StackOptions:
    """Return the options of a stage's stack of hosted systems."""
    digests = {"web": _DIGEST, "app": _DIGEST, "postgresql": f"17.6@{_DIGEST}"}
    return StackOptions.model_validate({
        "stage": stage, "target": "kubernetes",
        "cloud": {"part": "hosted", "imageDigests": digests, "apiServerNetworks": ["10.84.0.2/32"],
                  "internalAuthority": _AUTHORITY},
    })  # fmt: skip


def render_stages(declaration: CloudDeclaration) -> int:
    """Plan and render all stages; returns the number of objects."""
    count = 0
    for stage in STAGES:
        plan = build_cloud_plan(declaration, province="vn83", stage=stage, today=DAY)
        count += len(hosted_manifests(plan, stack_options(stage)))
    return count


def measure(count: int = SYSTEMS, runs: int = 3) -> dict[str, Any]:
    """Return the seconds of the slowest of several runs."""
    others, declaration, seconds, objects = OtherWork(), build_declaration(count), [], 0
    for _ in range(runs):
        began = time.perf_counter()
        objects = render_stages(declaration)
        seconds.append(time.perf_counter() - began)
    total = max(seconds)
    print_message(f"{count} hosted systems, {len(STAGES)} stages: {total:.2f} s, {objects:,} objects")
    return {
        "systems": count, "stages": len(STAGES), "objects": objects, "total_s": total, "others_pct": others.share_pct(),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(round_figures({"machine": describe(), **measure()}), indent=2))
