"""Rules about operation: logs, time, names, supported engines. Pure; copies and restores are in `copies`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import NETWORKS_VI, Sentence, day_vi, number_vi
from infra.policy.cloud.breach import CLOUD, CloudBreach, highest_level, shared_breach, system_breach, systems_under

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from telemetry.core.cloud.values import LogStore, PlatformName

LOG_DAYS: Final = {1: 0, 2: 30, 3: 90, 4: 180, 5: 365}
"""Days that logs are kept, by level: TCVN 14423:2026 x.8.2.1 a asks for 1, 3, 6 and 12 months."""
ENTERPRISE_LOG_DAYS: Final = 365
"""Days where an enterprise runs the store: 333/2026 Art. 20.3."""
LOG_ALARM_SHARE: Final = 0.8
"""The share of the log store from which it is reported as nearly full."""
ENGINE_NOTICE: Final = timedelta(days=60)
_SERVICE_REMEDIES: Final[Mapping[PlatformName, Sentence]] = {
    "time": Sentence("declare [platform.time] in cloud.toml", "Khai báo [platform.time] trong cloud.toml"),
    "dns": Sentence(
        "declare [platform.dns] in cloud.toml, a resolver that filters",
        "Khai báo [platform.dns] trong cloud.toml, là máy chủ tên miền có lọc",
    ),
}
_SERVICES_VI: Final[Mapping[PlatformName, str]] = {"time": "đồng bộ thời gian", "dns": "tên miền"}
_DAY_S, _BYTES_PER_GB = 86_400, 10**9


def check_operation(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about logs, time, names and engines."""
    for system in systems_under(plan, "log-kept"):
        yield from _log_breaches(plan, system)
    yield from _log_room_breaches(plan)
    for name, remedy in _SERVICE_REMEDIES.items():
        for system in systems_under(plan, name):
            yield from _service_breaches(plan, system, name, remedy)
    if not plan.declaration.ground.time_synchronised:
        for system in systems_under(plan, "time"):
            problem = Sentence("the hosts' clocks are not synchronised", "Đồng hồ máy chủ chưa được đồng bộ")
            remedy = Sentence(
                "synchronise them, then write time_synchronised = true in [ground] of cloud.toml",
                "Đồng bộ đồng hồ, rồi ghi time_synchronised = true trong [ground] của cloud.toml",
            )
            yield shared_breach("time", system, problem, remedy, plan.declaration.ground.declared_at)
    yield from _engine_breaches(plan)


def wanted_log_days(plan: CloudPlan, level: int) -> int:
    """Return the days for which a system of a level keeps its logs."""
    service = plan.declaration.platform.get("logs")
    if service is not None and service.provider == "enterprise":
        return max(LOG_DAYS[level], ENTERPRISE_LOG_DAYS)
    return LOG_DAYS[level]


def _log_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    logs, level = plan.declaration.logs, system.declared.level
    if logs is None:
        problem = Sentence("no store of logs is declared", "Chưa khai báo kho nhật ký")
        remedy = Sentence("declare [logs] in cloud.toml", "Khai báo [logs] trong cloud.toml")
        yield shared_breach("log-kept", system, problem, remedy, "")
        return
    if "logs" not in plan.declaration.platform:
        problem = Sentence("the platform has no service logs", "Nền tảng không có dịch vụ logs")
        remedy = Sentence(
            "declare [platform.logs] in cloud.toml: where the store of logs answers",
            "Khai báo [platform.logs] trong cloud.toml: địa chỉ của kho nhật ký",
        )
        yield shared_breach("log-kept", system, problem, remedy, logs.declared_at)
    wanted = wanted_log_days(plan, level)
    if logs.keep_days < wanted:
        clause = "333/2026 Art. 20.3" if wanted > LOG_DAYS[level] else ""
        problem = Sentence(
            f"logs are kept for {logs.keep_days} days, {wanted} are wanted",
            f"Nhật ký lưu {logs.keep_days} ngày, yêu cầu {wanted} ngày",
        )
        remedy = Sentence(
            f"write keep_days = {wanted} in [logs] of cloud.toml",
            f"Ghi keep_days = {wanted} trong [logs] của cloud.toml",
        )
        yield CloudBreach("log-kept", system.id, problem, remedy, level, logs.declared_at, clause)
    if level >= 4:
        yield from _log_place_breaches(logs, system)


def _log_place_breaches(logs: LogStore, system: SystemPlan) -> Iterator[CloudBreach]:
    if logs.zone in {zone.zone for zone in system.zones}:
        problem = Sentence(
            f"logs are stored in zone {logs.zone}, in which they arise",
            f"Nhật ký lưu tại {NETWORKS_VI[logs.zone]}, cũng là nơi phát sinh",
        )
        remedy = Sentence(
            'store them apart, then write zone = "manage" in [logs] of cloud.toml',
            'Lưu ở vùng khác, rồi ghi zone = "manage" trong [logs] của cloud.toml',
        )
        yield shared_breach("log-kept", system, problem, remedy, logs.declared_at)
    if not logs.locked:
        problem = Sentence("stored logs can be changed", "Nhật ký đã lưu có thể bị sửa")
        remedy = Sentence(
            "lock the store, then write locked = true in [logs] of cloud.toml",
            "Khóa kho nhật ký chống sửa, xóa, rồi ghi locked = true trong [logs] của cloud.toml",
        )
        yield shared_breach("log-kept", system, problem, remedy, logs.declared_at)


def _log_room_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    logs = plan.declaration.logs
    if logs is None or not any(True for _ in systems_under(plan, "log-room")):
        return
    events_per_s = sum(system.log_events_per_s for system in plan.declaration.systems.values())
    needed_gb = events_per_s * _DAY_S * logs.keep_days * logs.event_bytes / _BYTES_PER_GB
    room_gb = logs.disk_gb * LOG_ALARM_SHARE
    if needed_gb > room_gb:
        disk_gb = f"{-(-needed_gb // LOG_ALARM_SHARE):.0f}"
        problem = Sentence(
            f"{events_per_s} events/s of {logs.event_bytes} bytes for {logs.keep_days} days are {needed_gb:,.0f} GB; "
            f"the store warns at {room_gb:,.0f} GB",
            f"{number_vi(events_per_s)} sự kiện/giây, mỗi sự kiện {number_vi(logs.event_bytes)} byte, lưu "
            f"{logs.keep_days} ngày cần {number_vi(round(needed_gb))} GB; "
            f"kho cảnh báo từ {number_vi(round(room_gb))} GB",
        )
        remedy = Sentence(
            f"write disk_gb = {disk_gb} in [logs] of cloud.toml", f"Ghi disk_gb = {disk_gb} trong [logs] của cloud.toml"
        )
        yield CloudBreach("log-room", CLOUD, problem, remedy, highest_level(plan), logs.declared_at)


def _service_breaches(
    plan: CloudPlan, system: SystemPlan, name: PlatformName, remedy: Sentence
) -> Iterator[CloudBreach]:
    """Yield a breach when a service is not declared, or a zone of the system may not call it."""
    if name not in plan.declaration.platform:
        problem = Sentence(f"the platform has no service {name}", f"Nền tảng chưa có dịch vụ {_SERVICES_VI[name]}")
        yield shared_breach(name, system, problem, remedy, "")
        return
    reached = {
        one.source.namespace
        for one in plan.platform_connections
        if (one.target.kind, one.target.name) == ("platform", name)
    }
    for zone in system.zones:
        runs = any(one.declared.kind != "objects" for one in zone.components)
        if runs and system in plan.systems and zone.namespace not in reached:
            problem = Sentence(
                f"zone {zone.zone} may not call the service {name}",
                f"Không có kết nối từ {NETWORKS_VI[zone.zone]} đến dịch vụ {_SERVICES_VI[name]}",
            )
            yield system_breach(name, system, problem, remedy)


def _engine_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    ground, level = plan.declaration.ground, highest_level(plan)
    for name, last in sorted(ground.engine_ends.items()):
        engine = f"{name} {ground.engines.get(name, '')}".strip()
        if last < plan.today:
            problem = Sentence(
                f"{engine} has had no support since {last}", f"{engine} đã hết hỗ trợ từ ngày {day_vi(last)}"
            )
        elif last - plan.today <= ENGINE_NOTICE:
            problem = Sentence(
                f"the support of {engine} ends on {last}", f"{engine} sẽ hết hỗ trợ vào ngày {day_vi(last)}"
            )
        else:
            continue
        remedy = Sentence(
            f"move to a supported version, then write it and its end in [ground.engines.{name}] of cloud.toml",
            f"Chuyển sang phiên bản còn hỗ trợ, rồi ghi phiên bản và ngày hết hỗ trợ trong [ground.engines.{name}] của "
            "cloud.toml",
        )
        yield CloudBreach(
            "engine-supported", CLOUD, problem, remedy, level, ground.declared_at, is_hint=last >= plan.today
        )
