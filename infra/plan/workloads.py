"""Which processes run, which connections are allowed, what Prometheus scrapes. Pure.

Sizes come from measurements in `bench/`: one ingest handles 100,000 events/s below 200 MB; InfluxDB needs about
60 bytes per stored event, and its memory grows with what is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.plan.broker import INGEST_NAME_FORMAT, ROLLUP_NAME, agent_devices
from infra.plan.influx import TOTALS_TIERS
from infra.plan.values import NetworkFlow, ScrapeJob, Workload

if TYPE_CHECKING:
    from infra.config.options import StackOptions
    from telemetry.core.inventory import Inventory

HTTP_PORT, METRICS_PORT, INFLUX_PORT = 8080, 9101, 8086
PROMETHEUS_PORT, ALERTMANAGER_PORT, GRAFANA_PORT = 9090, 9093, 3000
BYTES_PER_EVENT = 60
EVENTS_PER_TICKET = 6
BYTES_PER_GB = 1_000_000_000
MIN_VOLUME_GB = 10
SERVICES_PORT = 8884
"""The broker's port for services: workers share a certificate there, and devices have no access."""
BACKUP = "backup"
"""The nightly copy of a cluster's InfluxDB to a volume of its own."""


def events_per_day(inventory: Inventory) -> int:
    """Estimate the events of a busy day: heartbeats, probes, tickets."""
    day_ms = 86_400_000
    beats = sum(day_ms // max(1, device.every_ms) for device in agent_devices(inventory))
    probes = sum(
        day_ms // max(1, system.every_ms) * max(1, len(system.vantage)) for system in inventory.systems.values()
    )
    tickets = sum(centre.tickets_per_day for centre in inventory.centres.values())
    return beats + probes + tickets * EVENTS_PER_TICKET


def store_volume_gb(inventory: Inventory, raw_days: int) -> int:
    """Return InfluxDB's volume, GB: three times the raw events, for compaction, totals and reserve."""
    days = raw_days or 1825
    return max(MIN_VOLUME_GB, round(events_per_day(inventory) * BYTES_PER_EVENT * days * 3 / BYTES_PER_GB))


def replication_queue_gb(options: StackOptions) -> int:
    """Return the queues for the national InfluxDB while that is unreachable, GB: one for each stream."""
    return -(-len(TOTALS_TIERS) * options.national.queue_bytes // BYTES_PER_GB) if options.national else 0


def plan_workloads(inventory: Inventory, options: StackOptions) -> tuple[Workload, ...]:
    """Return the processes of a stack, sized for its inventory."""
    scaled = options.target == "kubernetes"
    min_workers = options.kubernetes.ingest_least if scaled else options.workers
    max_workers = options.kubernetes.ingest_most if scaled else options.workers
    generation = options.tokens.generation
    volume = store_volume_gb(inventory, options.influx.raw_days) + replication_queue_gb(options)
    broker = Workload(
        "broker", "mosquitto", (), 1, 1, 250, 1024, {"mqtts": options.broker.port},
        certificate="broker", volume_gb=MIN_VOLUME_GB, public=True,
    )  # fmt: skip
    return (
        broker,
        Workload("influxdb", "influxdb", (), 1, 1, 500, 4096, {"http": INFLUX_PORT}, volume_gb=volume),
        Workload("ingest", "motcua-server", ("ingest",), min_workers, max_workers, 250, 512, {"metrics": METRICS_PORT},
                 f"ingest-g{generation}", INGEST_NAME_FORMAT.format(1)),
        Workload("rollup", "motcua-server", ("rollup",), 1, 1, 250, 1024, {}, f"rollup-g{generation}", ROLLUP_NAME,
                 volume_gb=1),
        Workload("api", "motcua-server", ("api",), 2 if scaled else 1, 4 if scaled else 1, 250, 1024,
                 {"http": HTTP_PORT},
                 f"api-g{generation}", public=True),
        Workload("prometheus", "prometheus", (), 1, 1, 100, 1024, {"http": PROMETHEUS_PORT}, volume_gb=MIN_VOLUME_GB),
        Workload("alertmanager", "alertmanager", (), 1, 1, 50, 128, {"http": ALERTMANAGER_PORT}, volume_gb=1),
        *(_cluster_workloads(volume) if scaled else ()),
    )  # fmt: skip


def _cluster_workloads(store_volume: int) -> tuple[Workload, ...]:
    """Return what only a cluster runs; on a machine the operator's timer copies, and Grafana is beside Motcua."""
    return (
        Workload("grafana", "grafana", (), 1, 1, 100, 256, {"http": GRAFANA_PORT}),
        Workload(BACKUP, "influxdb", (), 1, 1, 100, 512, {}, volume_gb=2 * store_volume),
    )


def plan_flows(options: StackOptions) -> tuple[NetworkFlow, ...]:
    """Return the connections that are allowed; everything else is denied."""
    port = options.broker.port
    allowed = [
        NetworkFlow("devices", "broker", port, "agents publish their frames"),
        NetworkFlow("people", "api", HTTP_PORT, "pages and API, behind TLS"),
        NetworkFlow("ingest", "broker", port, "frames in, receipts out"),
        NetworkFlow("rollup", "broker", port, "presence"),
        NetworkFlow("ingest", "influxdb", INFLUX_PORT, "raw events"),
        NetworkFlow("rollup", "influxdb", INFLUX_PORT, "totals"),
        NetworkFlow("api", "influxdb", INFLUX_PORT, "totals to read"),
        NetworkFlow("prometheus", "api", HTTP_PORT, "the service's figures"),
        NetworkFlow("prometheus", "ingest", METRICS_PORT, "its own work"),
        NetworkFlow("prometheus", "influxdb", INFLUX_PORT, "the store's figures"),
        NetworkFlow("prometheus", "alertmanager", ALERTMANAGER_PORT, "alerts"),
        NetworkFlow("rollup", "alertmanager", ALERTMANAGER_PORT, "burn-rate alerts"),
    ]
    if options.target == "kubernetes":
        allowed += [
            NetworkFlow("grafana", "prometheus", PROMETHEUS_PORT, "dashboards"),
            NetworkFlow(BACKUP, "influxdb", INFLUX_PORT, "backup"),
        ]
    if options.national is not None:
        allowed.append(
            NetworkFlow("influxdb", "national", url_port(options.national.url), "roll-ups to the national copy")
        )
    return tuple(sorted(allowed))


def url_port(url: str) -> int:
    """Return the port of a URL."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def plan_scrape_jobs() -> tuple[ScrapeJob, ...]:
    """Return the scrape jobs."""
    return (
        ScrapeJob("motcua-api", "api", HTTP_PORT, "/metrics", 30),
        ScrapeJob("indicators", "api", HTTP_PORT, "/metrics/kpis", 120),
        ScrapeJob("motcua-ingest", "ingest", METRICS_PORT, "/metrics", 15),
        ScrapeJob("influxdb", "influxdb", INFLUX_PORT, "/metrics", 60),
        ScrapeJob("prometheus", "prometheus", PROMETHEUS_PORT, "/metrics", 60),
        ScrapeJob("alertmanager", "alertmanager", ALERTMANAGER_PORT, "/metrics", 60),
    )
