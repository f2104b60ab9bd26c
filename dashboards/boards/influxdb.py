"""The dashboard of InfluxDB's own figures, as version 2.7 serves them at /metrics; none is about Motcua's data."""

from __future__ import annotations

from dashboards.boards.rates import rate_of
from dashboards.panels import Dashboard, Section, graph

_JOB = '{job="influxdb"}'


def influxdb_board(time_zone: str) -> Dashboard:
    """Return the dashboard of InfluxDB's requests, points, disk and memory."""
    return Dashboard(
        "motcua-influxdb",
        "Motcua: InfluxDB",
        "InfluxDB's own figures: requests, points, disk, memory. A stack over SQLite has none.",
        (_requests(), _storage()),
        time_zone=time_zone,
    )


def _requests() -> Section:
    requests = {"{{path}} {{status}}": rate_of(f"http_api_requests_total{_JOB}", "path, status")}
    durations = f"http_api_request_duration_seconds_bucket{_JOB}"
    slow = {"{{path}}": f"histogram_quantile(0.95, {rate_of(durations, 'path, le')})"}
    return Section(
        "Requests",
        (
            graph("Requests per second", requests, unit="reqps", width=12),
            graph("Duration of a request, 95th percentile", slow, "Of five minutes.", unit="s", width=12),
            graph("Bytes written per second", {"received": rate_of(f"http_write_request_bytes{_JOB}")}, unit="Bps"),
            graph("Bytes answered per second", {"sent": rate_of(f"http_query_response_bytes{_JOB}")}, unit="Bps"),
            graph("Queries that run or wait", {"queries": f"sum(qc_all_active{_JOB})"}),
        ),
    )


def _storage() -> Section:
    points = {
        "written": rate_of(f"storage_shard_write_sum{_JOB}"),
        "dropped": rate_of(f"storage_shard_write_dropped_sum{_JOB}"),
        "in failed writes": rate_of(f"storage_shard_write_err_sum{_JOB}"),
    }
    disk = {"{{bucket}}": f"sum by (bucket) (storage_shard_disk_size{_JOB})"}
    series = {"{{bucket}}": f"sum by (bucket) (storage_shard_series{_JOB})"}
    return Section(
        "Storage",
        (
            graph("Points per second", points, unit="cps"),
            graph("Size on disk by bucket", disk, "Buckets by their id.", unit="bytes"),
            graph("Series by bucket", series, "Added over shards: a series that lives long is in several."),
            graph("Cache in memory", {"cache": f"sum(storage_cache_inuse_bytes{_JOB})"}, unit="bytes"),
            graph("Write-ahead log", {"log": f"sum(storage_wal_size{_JOB})"}, unit="bytes"),
            graph("Memory", {"obtained from the system": f"sum(go_memstats_sys_bytes{_JOB})"}, unit="bytes"),
        ),
    )
