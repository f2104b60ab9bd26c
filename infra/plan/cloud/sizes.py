"""How much the hosted systems may use: by system, by agency, by site; what is left, what a lost host takes. Pure.

It must not know what a cluster or cloud has; it sums what is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.plan.cloud.tenancy import drill_quota, instances_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.plan.cloud.values import CloudPlan, ComponentPlan, SystemPlan
    from telemetry.core.cloud.values import Prices

SizeGroup = Literal["system", "agency", "site", "all"]
_DAY_S = 86_400
_BYTES_PER_GB = 10**9
_MB_PER_GB = 1024


@dataclass(frozen=True, slots=True)
class SizeRow:
    """What the systems of a group may use: `most` × size of each component, disks of all instances, GB.

    `copies_gb` is one copy of the data in each backup store, `log_gb` events/s × bytes × days. What is left is the
    quota less `least` × size. `price` is that of a month in the declared currency, None without prices.
    """

    group: SizeGroup
    id: str
    instances: int
    cpu_millicores: int
    memory_mb: int
    disk_gb: int
    copies_gb: int
    log_gb: float
    left_cpu_millicores: int
    left_memory_mb: int
    price: int | None


@dataclass(frozen=True, slots=True)
class HostLoss:
    """What the loss of the one host takes that has an instance of every component: what must start elsewhere.

    `stopped` are the components that run nowhere until then.
    """

    system: str
    cpu_millicores: int
    memory_mb: int
    stopped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DrillSize:
    """What a restore drill of a system's databases uses for its time, beside the system and its quotas."""

    system: str
    cpu_millicores: int
    memory_mb: int
    disk_gb: int


def size_rows(plan: CloudPlan) -> tuple[SizeRow, ...]:
    """Return a row for each system, agency and site, and one for all; sorted within each group."""
    by_system = {system.id: _system_row(plan, system) for system in plan.systems}
    keys: tuple[tuple[SizeGroup, Callable[[SystemPlan], str]], ...] = (
        ("system", lambda system: system.id),
        ("agency", lambda system: system.declared.owner),
        ("site", lambda system: system.declared.site),
        ("all", lambda _system: plan.province),
    )
    return tuple(
        _sum_rows(group, ident, [by_system[system.id] for system in plan.systems if key(system) == ident])
        for group, key in keys
        for ident in sorted({key(system) for system in plan.systems})
    )


def drill_sizes(plan: CloudPlan) -> tuple[DrillSize, ...]:
    """Return what a restore drill of each system with databases uses, in order of the systems."""
    return tuple(
        DrillSize(
            system.id,
            sum(one.cpu_millicores for one in quotas),
            sum(one.memory_mb for one in quotas),
            sum(one.disk_gb for one in quotas),
        )
        for system in plan.systems
        if (quotas := [one for one in (drill_quota(zone.components) for zone in system.zones) if one.instances])
    )


def host_losses(plan: CloudPlan) -> tuple[HostLoss, ...]:
    """Return what each system loses with one host: an instance of each component, as they are spread over hosts."""
    return tuple(_host_loss(system) for system in plan.systems)


def _host_loss(system: SystemPlan) -> HostLoss:
    running = [one for one in system.components if one.declared.kind != "objects"]
    return HostLoss(
        system.id,
        sum(one.size.cpu_millicores for one in running),
        sum(one.size.memory_mb for one in running),
        tuple(one.declared.id for one in running if least_instances(system, one) <= 1),
    )


def least_instances(system: SystemPlan, component: ComponentPlan) -> int:
    """Return the instances that always run; from level 3 a database has three."""
    most = instances_of(system.declared, component.declared)
    if component.declared.kind == "database" and system.declared.level >= 3:
        return max(component.declared.least, min(most, 3))
    return min(component.declared.least, most)


def _system_row(plan: CloudPlan, system: SystemPlan) -> SizeRow:
    declaration, running = plan.declaration, system.components
    most = [(one, instances_of(system.declared, one.declared)) for one in running]
    least = [(one, least_instances(system, one)) for one in running]
    cpu, memory = sum(one.size.cpu_millicores * count for one, count in most), _memory_mb(most)
    buckets = sum(one.declared.disk_gb for one in running if one.declared.kind == "objects")
    disk = sum(one.declared.disk_gb * count for one, count in most) + buckets
    copies = sum(one.declared.disk_gb for one in running) * len(declaration.backups)
    log_gb = _log_gb(plan, system)
    return SizeRow(
        "system",
        system.id,
        sum(count for _, count in most),
        cpu,
        memory,
        disk,
        copies,
        log_gb,
        sum(zone.quota.cpu_millicores for zone in system.zones)
        - sum(one.size.cpu_millicores * count for one, count in least),
        sum(zone.quota.memory_mb for zone in system.zones) - _memory_mb(least),
        _month_price(declaration.prices, cpu, memory, disk + log_gb, copies),
    )


def _memory_mb(counted: Sequence[tuple[ComponentPlan, int]]) -> int:
    return sum(one.size.memory_mb * count for one, count in counted)


def _log_gb(plan: CloudPlan, system: SystemPlan) -> float:
    logs = plan.declaration.logs
    if logs is None:
        return 0.0
    return system.declared.log_events_per_s * logs.event_bytes * logs.keep_days * _DAY_S / _BYTES_PER_GB


def _month_price(prices: Prices | None, cpu: int, memory: int, disk_gb: float, copies_gb: int) -> int | None:
    if prices is None:
        return None
    cores, memory_gb = cpu / 1000, memory / _MB_PER_GB
    return round(
        cores * prices.cpu_core + memory_gb * prices.memory_gb + disk_gb * prices.disk_gb + copies_gb * prices.copy_gb
    )


def _sum_rows(group: SizeGroup, ident: str, rows: Sequence[SizeRow]) -> SizeRow:
    prices = [row.price for row in rows if row.price is not None]
    return SizeRow(
        group,
        ident,
        sum(row.instances for row in rows),
        sum(row.cpu_millicores for row in rows),
        sum(row.memory_mb for row in rows),
        sum(row.disk_gb for row in rows),
        sum(row.copies_gb for row in rows),
        sum(row.log_gb for row in rows),
        sum(row.left_cpu_millicores for row in rows),
        sum(row.left_memory_mb for row in rows),
        sum(prices) if prices else None,
    )
