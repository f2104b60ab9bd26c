"""Plan and options → every object of the cluster. Pure: no clock, no files, no Pulumi, no secret's value.

Two parts, for a first roll-out needs two runs: `base` (namespace, broker, InfluxDB, backups, network) can stand
before InfluxDB can be reached; `roles` (ingest, rollup, API, watching) needs the tokens that are made in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.broker import broker_manifests
from infra.targets.kubernetes.checks import check_cluster_options
from infra.targets.kubernetes.influxdb import backup_manifests, influxdb_manifests
from infra.targets.kubernetes.monitoring import monitoring_manifests
from infra.targets.kubernetes.network import namespace_manifest, network_policies
from infra.targets.kubernetes.objects import ClusterSpec, SecretValue
from infra.targets.kubernetes.workloads import workload_manifests as workloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.targets.kubernetes.objects import Manifest

__all__ = ["ClusterSpec", "SecretValue", "all_manifests", "base_manifests", "required_secrets", "role_manifests"]


def base_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what stands first: namespace, network, broker, InfluxDB, backups.

    Raises ConfigError naming every option that no cluster could run.
    """
    check_cluster_options(cluster.options)
    return (
        namespace_manifest(cluster),
        *network_policies(cluster),
        *broker_manifests(cluster),
        *influxdb_manifests(cluster),
        *backup_manifests(cluster),
    )


def role_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return what needs tokens and the inventory: ingest, rollup, API; and what watches them."""
    return (*workloads(cluster), *monitoring_manifests(cluster))


def all_manifests(plan: StackPlan, options: StackOptions, inventory_files: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return every object; Secrets hold `SecretValue` in place of values.

    Raises ConfigError when a file of the inventory does not fit into a ConfigMap, and as `base` does.
    """
    cluster = ClusterSpec(plan, options, inventory_files)
    return (*base_manifests(cluster), *role_manifests(cluster))


def required_secrets(objects: Iterable[Manifest]) -> tuple[str, ...]:
    """Return the names of the secret values that some objects need, each once."""
    values = [
        value for manifest in objects if manifest["kind"] == "Secret" for value in manifest["stringData"].values()
    ]
    return tuple(sorted({value.name for value in values if isinstance(value, SecretValue)}))
