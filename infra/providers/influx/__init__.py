"""The resource kinds of InfluxDB 2. They must use neither Pulumi nor the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.providers.influx.authorization import AuthorizationKind
from infra.providers.influx.bucket import BucketKind, DbrpKind
from infra.providers.influx.client import InfluxClient
from infra.providers.influx.instance import InstanceKind
from infra.providers.influx.organisation import OrganisationKind
from infra.providers.influx.reachability import shared_reachability
from infra.providers.influx.replication import RemoteKind, ReplicationKind
from infra.providers.influx.task import TaskKind

if TYPE_CHECKING:
    from infra.providers.influx.resource import InfluxKind

__all__ = ["KINDS", "InfluxClient", "shared_reachability"]
KINDS: Final[dict[str, type[InfluxKind]]] = {
    "instance": InstanceKind,
    "organisation": OrganisationKind,
    "bucket": BucketKind,
    "authorization": AuthorizationKind,
    "task": TaskKind,
    "dbrp": DbrpKind,
    "remote": RemoteKind,
    "replication": ReplicationKind,
}
"""Kind by name, opened with a client and whether a new server may replace a lost one."""
