"""Rules about operation: logs, time, names, supported engines. Pure; copies and restores are in `copies`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

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
_SERVICE_REMEDIES: Final[Mapping[PlatformName, str]] = {
    "time": "declare [platform.time] in cloud.toml",
    "dns": "declare [platform.dns] in cloud.toml, a resolver that filters",
}
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
            problem = "the hosts' clocks are not synchronised"
            remedy = "synchronise them, then write time_synchronised = true in [ground] of cloud.toml"
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
        yield shared_breach("log-kept", system, "no store of logs is declared", "declare [logs] in cloud.toml", "")
        return
    wanted = wanted_log_days(plan, level)
    if logs.keep_days < wanted:
        clause = "333/2026 Art. 20.3" if wanted > LOG_DAYS[level] else ""
        yield CloudBreach(
            "log-kept", system.id, f"logs are kept for {logs.keep_days} days, {wanted} are wanted",
            f"write keep_days = {wanted} in [logs] of cloud.toml", level, logs.declared_at, clause,
        )  # fmt: skip
    if level >= 4:
        yield from _log_place_breaches(logs, system)


def _log_place_breaches(logs: LogStore, system: SystemPlan) -> Iterator[CloudBreach]:
    if logs.zone in {zone.zone for zone in system.zones}:
        problem = f"logs are stored in zone {logs.zone}, in which they arise"
        remedy = 'store them apart, then write zone = "manage" in [logs] of cloud.toml'
        yield shared_breach("log-kept", system, problem, remedy, logs.declared_at)
    if not logs.locked:
        problem = "stored logs can be changed"
        remedy = "lock the store, then write locked = true in [logs] of cloud.toml"
        yield shared_breach("log-kept", system, problem, remedy, logs.declared_at)


def _log_room_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    logs = plan.declaration.logs
    if logs is None or not any(True for _ in systems_under(plan, "log-room")):
        return
    events_per_s = sum(system.log_events_per_s for system in plan.declaration.systems.values())
    needed_gb = events_per_s * _DAY_S * logs.keep_days * logs.event_bytes / _BYTES_PER_GB
    room_gb = logs.disk_gb * LOG_ALARM_SHARE
    if needed_gb > room_gb:
        yield CloudBreach(
            "log-room",
            CLOUD,
            f"{events_per_s} events/s of {logs.event_bytes} bytes for {logs.keep_days} days are {needed_gb:,.0f} GB; "
            f"the store warns at {room_gb:,.0f} GB",
            f"write disk_gb = {-(-needed_gb // LOG_ALARM_SHARE):.0f} in [logs] of cloud.toml",
            highest_level(plan),
            logs.declared_at,
        )


def _service_breaches(plan: CloudPlan, system: SystemPlan, name: PlatformName, remedy: str) -> Iterator[CloudBreach]:
    """Yield a breach when a service is not declared, or a zone of the system may not call it."""
    if name not in plan.declaration.platform:
        yield shared_breach(name, system, f"the platform has no service {name}", remedy, "")
        return
    reached = {
        one.source.namespace
        for one in plan.platform_connections
        if (one.target.kind, one.target.name) == ("platform", name)
    }
    for zone in system.zones:
        runs = any(one.declared.kind != "objects" for one in zone.components)
        if runs and system in plan.systems and zone.namespace not in reached:
            problem = f"zone {zone.zone} may not call the service {name}"
            yield system_breach(name, system, problem, remedy)


def _engine_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    ground, level = plan.declaration.ground, highest_level(plan)
    for name, last in sorted(ground.engine_ends.items()):
        engine = f"{name} {ground.engines.get(name, '')}".strip()
        if last < plan.today:
            problem = f"{engine} has had no support since {last}"
        elif last - plan.today <= ENGINE_NOTICE:
            problem = f"the support of {engine} ends on {last}"
        else:
            continue
        yield CloudBreach(
            "engine-supported", CLOUD, problem,
            f"move to a supported version, then write it and its end in [ground.engines.{name}] of cloud.toml", level,
            ground.declared_at, is_hint=last >= plan.today,
        )  # fmt: skip
