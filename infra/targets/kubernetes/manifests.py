"""Plan and options → every object of the cluster. Pure: no clock, no files, no Pulumi, no secret's value.

Two parts, because a first roll-out needs two runs: the base (namespace, broker, InfluxDB, backups, network) is
deployed before InfluxDB is reachable; the roles (ingest, rollup, API, monitoring) need tokens from InfluxDB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.plan.workloads import SERVICES_PORT
from infra.targets.kubernetes.broker import broker_manifests
from infra.targets.kubernetes.door import door_manifests
from infra.targets.kubernetes.images import OWN_IMAGES, PINNED_IMAGES
from infra.targets.kubernetes.influxdb import backup_manifests, influxdb_manifests
from infra.targets.kubernetes.monitoring import monitoring_manifests
from infra.targets.kubernetes.network import namespace_manifest, network_policies
from infra.targets.kubernetes.objects import ClusterSpec, SecretValue
from infra.targets.kubernetes.workloads import workload_manifests
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.targets.kubernetes.objects import Manifest

_DIGEST_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


def check_cluster_options(options: StackOptions) -> None:
    """Raise ConfigError naming every option that makes objects no cluster could run."""
    faults = find_option_faults(options)
    if faults:
        raise ConfigError(faults)


def find_option_faults(options: StackOptions) -> list[Fault]:
    """Return a fault for every option that makes objects no cluster could run."""
    return [Fault("stack configuration", 0, f"motcua:{name}", *why) for name, *why in _option_faults(options)]


def _option_faults(options: StackOptions) -> Iterator[tuple[str, str, str]]:
    """Yield field, problem, remedy."""
    if options.broker.port == SERVICES_PORT:
        problem = f"{options.broker.port} is the broker's port for services"
        yield "broker.port", problem, "write another, as 8883"
    known_images = sorted({*PINNED_IMAGES, *OWN_IMAGES})
    for name, digest in sorted(options.kubernetes.image_digests.items()):
        if name not in known_images:
            yield (
                "kubernetes.imageDigests",
                f"{name!r} is not an image of the stack",
                f"write one of {', '.join(known_images)}",
            )
        elif not _DIGEST_PATTERN.fullmatch(digest):
            yield (
                "kubernetes.imageDigests",
                f"{name}: {digest!r} is not a digest",
                "write sha256: and 64 hex digits alone",
            )


def base_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what is deployed first: namespace, network, broker, InfluxDB, backups.

    Raises ConfigError naming every option that no cluster could run.
    """
    check_cluster_options(cluster.options)
    return (
        namespace_manifest(cluster),
        *network_policies(cluster),
        *store_manifests(cluster),
    )


def store_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what stores data, and needs no token of InfluxDB: broker, InfluxDB, backups."""
    return (*broker_manifests(cluster), *influxdb_manifests(cluster), *backup_manifests(cluster))


def role_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what needs tokens and the inventory: ingest, rollup, API, monitoring."""
    return (*workload_manifests(cluster), *monitoring_manifests(cluster))


def stack_role_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the roles of a stack of its own, with the door by which people reach them."""
    return (*role_manifests(cluster), *door_manifests(cluster))


def all_manifests(plan: StackPlan, options: StackOptions, inventory_files: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return every object; Secrets contain `SecretValue` in place of values.

    Raises ConfigError when a file of the inventory does not fit into a ConfigMap, and as `base_manifests` does.
    """
    cluster = ClusterSpec(plan, options, inventory_files)
    return (*base_manifests(cluster), *stack_role_manifests(cluster))


def required_secrets(objects: Iterable[Manifest]) -> tuple[str, ...]:
    """Return the names of the secret values that the objects need, each once."""
    values = [
        value for manifest in objects if manifest["kind"] == "Secret" for value in manifest["stringData"].values()
    ]
    return tuple(sorted({value.name for value in values if isinstance(value, SecretValue)}))
