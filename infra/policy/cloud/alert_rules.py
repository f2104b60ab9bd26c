"""One alert rule over what Prometheus has of the cloud, for objects of a cluster and for files. Pure.

It must not know of what it warns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

RULE_KIND: Final = "monitoring.coreos.com/v1 PrometheusRule"
VOLUME_USED, VOLUME_SIZE = "kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"
"""What the kubelet gives of each claimed volume, by `namespace` and `persistentvolumeclaim`, bytes."""
FREE_BYTES, SIZE_BYTES = "node_filesystem_avail_bytes", "node_filesystem_size_bytes"
"""What node_exporter gives of each file system of a machine, by `instance` and `mountpoint`, bytes."""
ON_DISK: Final = 'fstype!~"tmpfs|ramfs|overlay|squashfs"'
"""Which file systems are on a disk of their own."""


@dataclass(frozen=True, slots=True)
class CloudAlert:
    """One alert: its name, when it fires and for how many minutes that must hold, and what it says of its subject."""

    name: str
    expression: str
    cause: str
    problem: str
    minutes: int = 10
    severity: str = "warning"

    def rule(self, subject: str, labels: Mapping[str, str], runbook: str) -> dict[str, Any]:
        """Return the alert as Prometheus takes it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": f"{self.minutes}m",
            "labels": {"severity": self.severity, "cause": self.cause, **labels},
            "annotations": {"summary": f"{subject} {self.problem}.", "runbook": runbook},
        }
