"""What a plan of hosted systems puts into the cloud, as a record that a stack keeps for its next run. Pure.

It must not compare two records; `infra.plan.cloud.changes` does. A record holds nothing that is secret.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.plan.cloud.tenancy import instances_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan, ZonePlan

SEPARATED_STORAGE_LEVEL = 3
"""From this level on the volumes of a system have a storage class of their own (331 Art. 30.8.c)."""


@dataclass(frozen=True, slots=True, order=True)
class SystemRecord:
    """A system as it was planned: its project, site, how it is reached, and what only labels say."""

    id: str
    project: str
    site: str
    exposure: str
    host: str
    owner: str
    level: int
    data: str
    was: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class ComponentRecord:
    """A component as it was planned, in its physical place; `own_storage`: its volumes have a class of their own."""

    system: str
    id: str
    kind: str
    zone: str
    namespace: str
    network: str
    size: str
    least: int
    most: int
    disk_gb: int
    port: int
    image: str
    own_storage: bool
    was: tuple[str, ...] = ()
    health_port: int = 0


@dataclass(frozen=True, slots=True, order=True)
class ConnectionRecord:
    """A declared connection: ends as in messages, port and protocol."""

    source: str
    target: str
    port: int
    protocol: str

    def __str__(self) -> str:
        """Return it for messages."""
        return f"{self.source} → {self.target} {self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class CloudRecord:
    """Everything that a plan puts into the cloud, sorted."""

    systems: tuple[SystemRecord, ...] = ()
    components: tuple[ComponentRecord, ...] = ()
    connections: tuple[ConnectionRecord, ...] = ()

    def union(self, other: CloudRecord) -> CloudRecord:
        """Return the record with all of another one."""
        return CloudRecord(
            tuple(sorted({*self.systems, *other.systems})),
            tuple(sorted({*self.components, *other.components})),
            tuple(sorted({*self.connections, *other.connections})),
        )


def part_of_record(record: CloudRecord, systems: Collection[str]) -> CloudRecord:
    """Return what a record has of some systems, with the connections that begin or end in them."""
    return CloudRecord(
        tuple(one for one in record.systems if one.id in systems),
        tuple(one for one in record.components if one.system in systems),
        tuple(
            one for one in record.connections if any(end.split("/")[0] in systems for end in (one.source, one.target))
        ),
    )


def record_plan(plan: CloudPlan, systems: Collection[str] | None = None) -> CloudRecord:
    """Return the record of a plan, or of some of its systems; equal plans have equal records."""
    whole = _whole_record(plan)
    return whole if systems is None else part_of_record(whole, systems)


def _whole_record(plan: CloudPlan) -> CloudRecord:
    return CloudRecord(
        tuple(_system_record(system) for system in plan.systems),
        tuple(
            sorted(
                _component_record(system, zone, component)
                for system in plan.systems
                for zone in system.zones
                for component in zone.components
            )
        ),
        tuple(
            sorted(
                ConnectionRecord(str(one.source), str(one.target), one.port, one.protocol) for one in plan.connections
            )
        ),
    )


def encode_cloud_record(record: CloudRecord) -> str:
    """Return a record as one line of text, which is an output of the stack."""
    packed = zlib.compress(json.dumps(asdict(record), ensure_ascii=False, sort_keys=True).encode(), 9)
    return base64.b64encode(packed).decode()


def decode_cloud_record(text: str) -> CloudRecord | None:
    """Return the record of an output, None when it is none of this version."""
    try:
        document = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
        return CloudRecord(
            tuple(_decode(SystemRecord, document["systems"])),
            tuple(_decode(ComponentRecord, document["components"])),
            tuple(_decode(ConnectionRecord, document["connections"])),
        )
    except (ValueError, TypeError, KeyError, zlib.error):
        return None


def _decode(kind: type[Any], rows: Iterable[dict[str, Any]]) -> list[Any]:
    return [
        kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})
        for row in rows
    ]


def _system_record(system: SystemPlan) -> SystemRecord:
    one = system.declared
    return SystemRecord(
        one.id, system.project, one.site, one.exposure, one.host, one.owner, one.level, one.data, one.was
    )


def _component_record(system: SystemPlan, zone: ZonePlan, component: ComponentPlan) -> ComponentRecord:
    one, level = component.declared, system.declared.level
    most = max(one.most, instances_of(system.declared, one))
    return ComponentRecord(
        one.system, one.id, one.kind, zone.zone, zone.namespace, zone.cidr, one.size, one.least, most, one.disk_gb,
        one.port, one.image, level >= SEPARATED_STORAGE_LEVEL, one.was, one.health_port,
    )  # fmt: skip
