"""Rules of ours on what the targets could not run as declared: the lock, host names, queues, buckets. Pure.

It must not repeat what the inventory's own checks refuse, nor know how a target makes its objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.lock import zones_without_entry
from infra.plan.cloud.platform_stores import store_port_fault, unserved_components
from infra.plan.cloud.sentences import NETWORKS_VI, Sentence
from infra.policy.cloud.breach import CloudBreach, all_systems, component_breach, system_breach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan


def check_deployable(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield what `motcua render` and `pulumi up` would refuse of a plan."""
    yield from _missing_entries(plan)
    yield from _repeated_hosts(plan)
    for system in plan.systems:
        yield from _unserved_breaches(plan, system)
    yield from _store_port_breaches(plan)


def _missing_entries(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield a hint for each system whose zones are not in the lock: it is written after the first check."""
    for system in plan.systems:
        zones = zones_without_entry(plan.declaration, system.declared)
        if zones:
            named = f"zone {zones[0]} has" if len(zones) == 1 else f"zones {', '.join(zones)} have"
            named_vi = ", ".join(NETWORKS_VI[zone] for zone in zones)
            problem = Sentence(
                f"{named} no address slot in cloud.lock, without which it is neither rendered nor deployed",
                f"Chưa cấp địa chỉ trong cloud.lock cho {named_vi}, nên chưa triển khai được",
            )
            remedy = Sentence(
                "run `motcua cloud lock` and commit cloud.lock", "Chạy `motcua cloud lock` rồi lưu cloud.lock"
            )
            yield system_breach("lock-entry", system, problem, remedy)


def _repeated_hosts(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield each system whose host another one has: a gateway passes a name on to one of them only."""
    by_host: dict[str, list[SystemPlan]] = {}
    for system in all_systems(plan):
        if system.declared.host:
            by_host.setdefault(system.declared.host, []).append(system)
    for host, systems in by_host.items():
        for system in systems:
            other = next((one for one in systems if one is not system), None)
            if other is not None:
                yield _repeated_host(system, host, other)


def _repeated_host(system: SystemPlan, host: str, other: SystemPlan) -> CloudBreach:
    at = f" ({other.declared.declared_at})" if other.declared.declared_at else ""
    problem = Sentence(
        f"has the host {host}, as has {other.id}{at}: people could reach one of them only",
        f"Tên miền {host} trùng với hệ thống {other.id}{at}: chỉ truy cập được một trong hai hệ thống",
    )
    remedy = Sentence("give each system a host of its own", "Đặt cho mỗi hệ thống một tên miền riêng")
    return system_breach("host-once", system, problem, remedy)


def _unserved_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    for one in unserved_components(plan, system):
        yield component_breach(one.rule, system, one.declared, one.problem, one.remedy)


def _store_port_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    for connection in plan.connections:
        fault = store_port_fault(plan, connection)
        if fault is not None:
            level = plan.system(connection.target.system).declared.level
            problem = Sentence(
                f"{fault.field}: {fault.problem}",
                f"Kết nối {connection.source} → {connection.target} dùng cổng {connection.port}, "
                "khác cổng của kho đối tượng",
            )
            remedy = Sentence(fault.remedy, "Ghi đúng cổng của kho đối tượng trong flows.csv")
            place = str(connection.source) if connection.source.kind == "component" else str(connection.target)
            yield CloudBreach("object-store", place, problem, remedy, level, connection.declared_at)
