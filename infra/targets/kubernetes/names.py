"""Names and ports that several parts share. Pure; it holds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.pki import INTERNAL

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import Cluster

SERVICES_PORT = 8884
"""Where services meet the broker: several workers share a certificate there, and no device gets there."""
BROKER_CONFIG, BROKER_TLS = "broker-config", "broker-tls"
NODES = "broker-nodes"
INFLUX_SETUP, API_TLS = "influxdb-setup", "api-tls"
RECEIVER, WEBHOOK = "alertmanager-receiver", "webhook"
"""The Secret, and its key, that holds the address which alerts are posted to; whoever has it can post there."""
BACKUP = "backup"


def broker_host(cluster: Cluster) -> str:
    """Return the name under which services meet the broker; it must stand in the broker's certificate."""
    return f"{INTERNAL}.{cluster.namespace}.svc"


def files_of(file: str) -> str:
    """Return the ConfigMap that holds a file of the inventory."""
    return "inventory-" + file.replace(".", "-").replace("_", "-").replace("/", "-").lower()
