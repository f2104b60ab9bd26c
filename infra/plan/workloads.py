"""Which processes run, who may talk to whom, what Prometheus asks. Pure.

Sizes rest on the figures of `bench/`: one ingest takes 100,000 events/s and stays below 200 MB; InfluxDB needs
about 60 bytes a stored event, and its memory grows with what is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.plan.broker import INGEST, ROLLUP, agents
from infra.plan.influx import TOTALS
from infra.plan.values import Flow, ScrapeJob, Workload

if TYPE_CHECKING:
    from infra.config.options import Options
    from telemetry.core.inventory import Inventory

HTTP, METRICS, INFLUX, PROMETHEUS, ALERTMANAGER, GRAFANA = 8080, 9101, 8086, 9090, 9093, 3000
STORED_BYTES = 60
EVENTS_PER_TICKET = 6
GB = 1_000_000_000
LEAST_VOLUME_GB = 10


def events_a_day(inventory: Inventory) -> int:
    """Estimate the events of a busy day: heartbeats, probes, tickets."""
    day_ms = 86_400_000
    beats = sum(day_ms // max(1, device.every_ms) for device in agents(inventory))
    probes = sum(day_ms // max(1, one.every_ms) * max(1, len(one.vantage)) for one in inventory.systems.values())
    tickets = sum(centre.tickets_per_day for centre in inventory.centres.values())
    return beats + probes + tickets * EVENTS_PER_TICKET


def store_gb(inventory: Inventory, raw_days: int) -> int:
    """Return the volume for InfluxDB, GB: raw events twice over (compaction), totals, and room."""
    days = raw_days or 1825
    return max(LEAST_VOLUME_GB, round(events_a_day(inventory) * STORED_BYTES * days * 3 / GB))


def queue_gb(options: Options) -> int:
    """Return what InfluxDB keeps for the national one while that is away, GB: a queue for each stream."""
    return -(-len(TOTALS) * options.national.queue_bytes // GB) if options.national else 0


def workloads(inventory: Inventory, options: Options) -> tuple[Workload, ...]:
    """Return the processes of a stack, sized for its inventory."""
    scaled = options.target == "kubernetes"
    least = options.kubernetes.ingest_least if scaled else options.workers
    most = options.kubernetes.ingest_most if scaled else options.workers
    generation = options.tokens.generation
    volume = store_gb(inventory, options.influx.raw_days) + queue_gb(options)
    broker = Workload(
        "broker", "mosquitto", (), 1, 1, 250, 1024, {"mqtts": options.broker.port},
        certificate="broker", volume_gb=LEAST_VOLUME_GB, public=True,
    )  # fmt: skip
    return (
        broker,
        Workload("influxdb", "influxdb", (), 1, 1, 500, 4096, {"http": INFLUX}, volume_gb=volume),
        Workload("ingest", "motcua-server", ("ingest",), least, most, 250, 512, {"metrics": METRICS},
                 f"ingest-g{generation}", INGEST.format(1)),
        Workload("rollup", "motcua-server", ("rollup",), 1, 1, 250, 1024, {}, f"rollup-g{generation}", ROLLUP),
        Workload("api", "motcua-server", ("api",), 2 if scaled else 1, 4 if scaled else 1, 250, 1024, {"http": HTTP},
                 f"api-g{generation}", public=True),
        Workload("prometheus", "prometheus", (), 1, 1, 100, 1024, {"http": PROMETHEUS}, volume_gb=LEAST_VOLUME_GB),
        Workload("alertmanager", "alertmanager", (), 1, 1, 50, 128, {"http": ALERTMANAGER}, volume_gb=1),
        *((Workload("grafana", "grafana", (), 1, 1, 100, 256, {"http": GRAFANA}),) if scaled else ()),
    )  # fmt: skip


def flows(options: Options) -> tuple[Flow, ...]:
    """Return the connections that are allowed; everything else is denied."""
    port = options.broker.port
    found = [
        Flow("devices", "broker", port, "agents publish their frames"),
        Flow("people", "api", HTTP, "pages and API, behind TLS"),
        Flow("ingest", "broker", port, "frames in, receipts out"),
        Flow("rollup", "broker", port, "presence"),
        *(Flow(role, "influxdb", INFLUX, why) for role, why in _STORE),
        Flow("prometheus", "api", HTTP, "the service's figures"),
        Flow("prometheus", "ingest", METRICS, "its own work"),
        Flow("prometheus", "alertmanager", ALERTMANAGER, "alerts"),
        Flow("rollup", "alertmanager", ALERTMANAGER, "burn-rate alerts"),
    ]
    if options.target == "kubernetes":
        found += [Flow("grafana", "prometheus", PROMETHEUS, "dashboards")]
    if options.national is not None:
        found.append(Flow("influxdb", "national", port_of(options.national.url), "roll-ups to the national copy"))
    return tuple(sorted(found))


def port_of(url: str) -> int:
    """Return the port of a URL."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


_STORE = (("ingest", "raw events"), ("rollup", "totals"), ("api", "totals to read"))


def scrapes() -> tuple[ScrapeJob, ...]:
    """Return what Prometheus asks."""
    return (
        ScrapeJob("motcua-api", "api", HTTP, "/metrics", 30),
        ScrapeJob("motcua-ingest", "ingest", METRICS, "/metrics", 15),
        ScrapeJob("prometheus", "prometheus", PROMETHEUS, "/metrics", 60),
        ScrapeJob("alertmanager", "alertmanager", ALERTMANAGER, "/metrics", 60),
    )
