"""Alerts over the room of the platform's store of logs: nearly full, days that will not fit, silence. Pure.

They read the room of its volumes or of its machine's file systems, which every store has, and no product's figures.
They must not trust silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.policy.cloud.alert_rules import FREE_BYTES, ON_DISK, SIZE_BYTES, VOLUME_SIZE, VOLUME_USED, CloudAlert
from infra.policy.cloud.operation import LOG_ALARM_SHARE

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration, LogStore

RUNBOOK: Final = "docs/explanation/hosted-systems.md#room-of-the-store-of-logs"
NOTICE_S: Final = 7 * 86_400
"""How long before the store is full, at the growth of the last day, it is reported."""
_DAY_S, _BYTES_PER_GB = 86_400, 10**9
_SMALLER: Final = 0.95
"""A file system takes some of its volume for itself: less than so much of the declared size is another size."""


@dataclass(frozen=True, slots=True)
class _Room:
    """Expressions of the store's room, one value for each volume: bytes used, bytes in all, bytes more a second."""

    used: str
    size: str
    growth: str


def log_room_rules(cloud: CloudDeclaration, *, in_cluster: bool) -> list[dict[str, Any]]:
    """Return the rules of the declared store of logs, as Prometheus takes them; none without a store and its place.

    `in_cluster`: its volumes are read where it has a namespace; otherwise its machine's file systems.
    """
    service = cloud.platform.get("logs")
    if cloud.logs is None or service is None:
        return []
    if in_cluster and service.namespace:
        room = _room_of_volumes(service.namespace)
    elif service.address:
        room = _room_of_machine(service.address)
    else:
        return []
    return [one.rule("The store of logs", {"platform": "logs"}, RUNBOOK) for one in _alerts(cloud.logs, room)]


def _room_of_volumes(namespace: str) -> _Room:
    volumes = f'{{namespace="{namespace}"}}'
    used = f"{VOLUME_USED}{volumes}"
    return _Room(used, f"{VOLUME_SIZE}{volumes}", f"deriv({used}[1d])")


def _room_of_machine(address: str) -> _Room:
    named = re.escape(address).replace("\\", "\\\\")
    disks = f'{{instance=~"{named}(:[0-9]+)?",{ON_DISK}}}'
    size, free = f"{SIZE_BYTES}{disks}", f"{FREE_BYTES}{disks}"
    return _Room(f"({size} - {free})", size, f"(0 - deriv({free}[1d]))")


def _alerts(logs: LogStore, room: _Room) -> tuple[CloudAlert, ...]:
    keep_s, least_bytes = logs.keep_days * _DAY_S, round(logs.disk_gb * _BYTES_PER_GB * _SMALLER)
    soon = f"max(({room.used} + {room.growth} * {NOTICE_S}) / {room.size}) >= 1"
    return (
        CloudAlert("LogStoreFull", f"max({room.used} / {room.size}) >= {LOG_ALARM_SHARE}", "log-room",
                   f"has used {LOG_ALARM_SHARE:.0%} or more of its room", 15, "critical"),
        CloudAlert("LogStoreFillsSoon", soon, "log-room",
                   f"is full within {NOTICE_S // _DAY_S} days at the growth of the last day", 60),
        CloudAlert("LogStoreDaysDoNotFit", f"max({room.growth} * {keep_s} / {room.size}) > 1", "log-room",
                   f"has no room for {logs.keep_days} days at the growth of the last day", 60),
        CloudAlert("LogStoreSmall", f"sum({room.size}) < {least_bytes}", "log-room",
                   f"is smaller than the declared {logs.disk_gb} GB", 15),
        CloudAlert("LogStoreUnseen", f"absent({room.size})", "unseen",
                   "gives no figures of its room, so nothing is known of it", 15),
    )  # fmt: skip
