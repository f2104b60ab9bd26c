"""What the Kubernetes tests look at: the objects of a stack, found by kind and name, and how they hang together.

It must not assert anything; it builds nothing but stacks from the shipped stack file, and their mounted files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.files import provisioned_files
from infra.config.stack_file import load_options
from infra.plan import StackPlan, build_plan
from infra.targets.kubernetes.manifests import all_manifests
from telemetry import inventory
from telemetry.inventory.files import bundle_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config.options import StackOptions
    from telemetry.core.inventory import Inventory

ROOT = Path(__file__).resolve().parent.parent
STACKS = sorted((ROOT / "infra/stacks").glob("Pulumi.*.yaml"))
SHIPPED = ROOT / "infra/stacks/Pulumi.kubernetes.yaml"
DAY = date(2026, 6, 1)
Json = dict[str, Any]
GATEWAY_API = "gateway.networking.k8s.io/v1"
"""The version of kinds that are not the cluster's own, so that it publishes no schema of them."""
WORKLOADS = ("Deployment", "StatefulSet", "CronJob")


def options(**cluster: object) -> StackOptions:
    """Return the shipped stack's options with other settings of the cluster."""
    found = load_options(SHIPPED)
    return found.model_copy(update={"kubernetes": found.kubernetes.model_copy(update=cluster)})


def sample() -> Inventory:
    return inventory.load(inventory.default_path())


def sample_files() -> dict[str, str]:
    return bundle_files(inventory.default_path())


@dataclass(frozen=True)
class Stack:
    """The objects of a stack."""

    plan: StackPlan
    options: StackOptions
    objects: tuple[Json, ...]

    def of(self, *kinds: str) -> list[Json]:
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Json:
        return next(one for one in self.of(kind) if one["metadata"]["name"] == name)

    def names(self, kind: str) -> set[str]:
        return {one["metadata"]["name"] for one in self.of(kind)}

    def built_in(self) -> list[Json]:
        """Return the objects of the cluster's own kinds."""
        return [one for one in self.objects if one["apiVersion"] != GATEWAY_API]

    def templates(self) -> Iterator[tuple[str, Json]]:
        """Yield (workload, pod template)."""
        for one in self.of(*WORKLOADS):
            spec = one["spec"]
            spec = spec["jobTemplate"]["spec"] if one["kind"] == "CronJob" else spec
            yield one["metadata"]["name"], spec["template"]

    def picked(self, wanted: Mapping[str, str]) -> list[Json]:
        """Return the pod templates that a selector picks."""
        return [pod for _, pod in self.templates() if wanted.items() <= pod["metadata"]["labels"].items()]


def stack(world: Inventory | None = None, files: Mapping[str, str] | None = None, **cluster: object) -> Stack:
    """Return the shipped stack for an inventory and its files."""
    wanted = options(**cluster)
    effective_world = world or sample()
    found = build_plan(effective_world, wanted, DAY, provisioned_files(effective_world))
    return Stack(found, wanted, all_manifests(found, wanted, sample_files() if files is None else files))


def container(pod: Json) -> Json:
    """Return the one container of a pod."""
    found: Json
    (found,) = pod["spec"]["containers"]
    return found


def projected(found: Stack, role: str) -> dict[str, str]:
    """Return the files of a role's volume with the inventory, path → text, as a kubelet takes them from ConfigMaps."""
    volumes = found.one("Deployment", role)["spec"]["template"]["spec"]["volumes"]
    sources = next(volume for volume in volumes if volume["name"] == "inventory")["projected"]["sources"]
    maps = [source["configMap"] for source in sources]
    return {
        item["path"]: found.one("ConfigMap", one["name"])["data"][item["key"]] for one in maps for item in one["items"]
    }


def mounted(folder: Path, files: Mapping[str, str], version: str) -> None:
    """Lay out files as a kubelet does: a hidden folder, a link to it that is swapped at once, links to its content."""
    hidden = folder / f"..{version}"
    for name, text in files.items():
        (hidden / name).parent.mkdir(parents=True, exist_ok=True)
        (hidden / name).write_bytes(text.encode())
    for top in {name.partition("/")[0] for name in files}:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    fresh = folder / "..data_tmp"
    fresh.symlink_to(hidden.name)
    fresh.rename(folder / "..data")
