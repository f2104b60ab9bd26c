"""Names and ports that several parts share. Pure; it holds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.pki import INTERNAL_SERVICE

if TYPE_CHECKING:
    from infra.targets.kubernetes.objects import ClusterSpec

SERVICES_PORT = 8884
"""Where services meet the broker: several workers share a certificate there, and no device gets there."""
BROKER_CONFIG, BROKER_TLS = "broker-config", "broker-tls"
BROKER_NODES = "broker-nodes"
INFLUX_SETUP_SECRET, API_TLS_SECRET = "influxdb-setup", "api-tls"
RECEIVER_SECRET, WEBHOOK_KEY = "alertmanager-receiver", "webhook"
"""The Secret, and its key, that holds the address which alerts are posted to; whoever has it can post there."""
BACKUP = "backup"


def broker_service_host(cluster: ClusterSpec) -> str:
    """Return the name under which services meet the broker; it must stand in the broker's certificate."""
    return f"{INTERNAL_SERVICE}.{cluster.namespace}.svc"


def config_map_of(file: str) -> str:
    """Return the ConfigMap that holds a file of the inventory."""
    return "inventory-" + file.replace(".", "-").replace("_", "-").replace("/", "-").lower()
