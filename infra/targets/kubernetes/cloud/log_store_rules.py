"""Alert rules over the room of the platform's store of logs: nearly full, days that will not fit, silence. Pure.

They read the room of its volumes or of its machine's file systems, which every store has, and no product's figures.
They must not trust silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.policy.cloud.operation import LOG_ALARM_SHARE
from infra.targets.kubernetes.cloud.alert_rules import RULE_KIND, VOLUME_SIZE, VOLUME_USED, CloudAlert
from infra.targets.kubernetes.cloud.objects import object_labels, platform_labels

if TYPE_CHECKING:
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest
    from telemetry.core.cloud.values import LogStore, PlatformService

RUNBOOK: Final = "docs/explanation/hosted-systems.md#room-of-the-store-of-logs"
FREE_BYTES, SIZE_BYTES = "node_filesystem_avail_bytes", "node_filesystem_size_bytes"
"""What node_exporter gives of each file system of a machine, by `instance` and `mountpoint`, bytes."""
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


def log_store_rules(spec: HostedSpec) -> tuple[Manifest, ...]:
    """Return the rules of the declared store of logs, in its namespace; without one in that of the figures.

    None are made where no store or service is declared, or neither has a namespace.
    """
    platform, logs = spec.plan.declaration.platform, spec.plan.declaration.logs
    service, metrics = platform.get("logs"), platform.get("metrics")
    if logs is None or service is None:
        return ()
    namespace = service.namespace or (metrics.namespace if metrics else "")
    if not namespace:
        return ()
    rules = [one.rule("The store of logs", {"platform": "logs"}, RUNBOOK) for one in _alerts(logs, _room(service))]
    version, _, kind = RULE_KIND.rpartition(" ")
    meta = {"name": "log-store", "namespace": namespace, "labels": object_labels(platform_labels(spec), "log-store")}
    body = {"groups": [{"name": "log-store", "rules": rules}]}
    return ({"apiVersion": version, "kind": kind, "metadata": meta, "spec": body},)


def _room(service: PlatformService) -> _Room:
    """Return where the room is read: at the volumes of its namespace, else at the file systems of its machine."""
    if service.namespace:
        volumes = f'{{namespace="{service.namespace}"}}'
        used = f"{VOLUME_USED}{volumes}"
        return _Room(used, f"{VOLUME_SIZE}{volumes}", f"deriv({used}[1d])")
    address = re.escape(service.address).replace("\\", "\\\\")
    disks = f'{{instance=~"{address}(:[0-9]+)?",fstype!~"tmpfs|ramfs|overlay|squashfs"}}'
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
