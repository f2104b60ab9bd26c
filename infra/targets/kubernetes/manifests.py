"""Plan and options → every object of the cluster. Pure: no clock, no files, no Pulumi, no secret's value.

Two parts, for a first roll-out needs two runs: `base` (namespace, broker, InfluxDB, backups, network) can stand
before InfluxDB can be reached; `roles` (ingest, rollup, API, watching) needs the tokens that are made in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.broker import broker
from infra.targets.kubernetes.checks import check
from infra.targets.kubernetes.influxdb import backup, store
from infra.targets.kubernetes.monitoring import watching
from infra.targets.kubernetes.network import namespace, network
from infra.targets.kubernetes.objects import Cluster, SecretValue
from infra.targets.kubernetes.workloads import roles as workloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.config.options import Options
    from infra.plan import Plan
    from infra.targets.kubernetes.objects import Manifest

__all__ = ["Cluster", "SecretValue", "base", "manifests", "needed", "roles"]


def base(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return what stands first: namespace, network, broker, InfluxDB, backups.

    Raises ConfigError naming every option that no cluster could run.
    """
    check(cluster.options)
    return (namespace(cluster), *network(cluster), *broker(cluster), *store(cluster), *backup(cluster))


def roles(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return what needs tokens and the inventory: ingest, rollup, API; and what watches them."""
    return (*workloads(cluster), *watching(cluster))


def manifests(plan: Plan, options: Options, inventory_files: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return every object; Secrets hold `SecretValue` in place of values.

    Raises ConfigError when a file of the inventory does not fit into a ConfigMap, and as `base` does.
    """
    cluster = Cluster(plan, options, inventory_files)
    return (*base(cluster), *roles(cluster))


def needed(objects: Iterable[Manifest]) -> tuple[str, ...]:
    """Return the names of the secret values that some objects need, each once."""
    values = [value for one in objects if one["kind"] == "Secret" for value in one["stringData"].values()]
    return tuple(sorted({value.name for value in values if isinstance(value, SecretValue)}))
