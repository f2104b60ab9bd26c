"""What an InfluxDB 2 holds besides data, kind by kind. It must not know Pulumi, nor the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.providers.influx.authorization import Authorization
from infra.providers.influx.bucket import Bucket
from infra.providers.influx.client import Client
from infra.providers.influx.dbrp import Dbrp
from infra.providers.influx.instance import Instance
from infra.providers.influx.organisation import Organisation
from infra.providers.influx.replication import Remote, Replication
from infra.providers.influx.task import Task

if TYPE_CHECKING:
    from infra.providers.influx.resource import Thing

__all__ = ["KINDS", "Client"]
KINDS: Final[dict[str, type[Thing]]] = {
    "instance": Instance,
    "organisation": Organisation,
    "bucket": Bucket,
    "authorization": Authorization,
    "task": Task,
    "dbrp": Dbrp,
    "remote": Remote,
    "replication": Replication,
}
"""Kind by name, opened with a client and whether a new server may stand in for a lost one."""
