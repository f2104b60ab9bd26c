"""InfluxDB's required content: buckets, tokens with least rights, tasks, the replication to the national one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from infra.plan.values import (
    BucketPermission,
    BucketPlan,
    DbrpPlan,
    InfluxPlan,
    ReplicationPlan,
    TaskPlan,
    TokenPlan,
    UpstreamPlan,
)

if TYPE_CHECKING:
    from infra.config.options import InfluxOptions, NationalOptions, StackOptions, TokenOptions
    from infra.plan.values import StackPlan

DAY_S = 86_400
WEEK_S = 7 * DAY_S
OPS_RETENTION_DAYS = 90
TOTALS_TIERS = ("5m", "1h", "1d")
TOKEN_ROLES = ("ingest", "rollup", "api")

_CAPACITY_FLUX = """option task = {{name: "motcua-capacity", every: 1h, offset: 5m}}

from(bucket: "{raw}")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._field == "n")
    |> group()
    |> count()
    |> map(fn: (r) => ({{_time: now(), _measurement: "capacity", _field: "raw_events", _value: r._value}}))
    |> to(bucket: "{ops}")
"""


def bucket_plans(influx: InfluxOptions) -> tuple[BucketPlan, ...]:
    """Return the raw bucket, those of totals and that of operators; a retention of 0 days means for ever.

    Day totals never expire, whatever the options are: live rows and checkpoints are in that bucket.
    """
    name = influx.bucket
    return (
        BucketPlan(name, "raw", influx.raw_days * DAY_S, DAY_S, "raw events, as devices sent them"),
        BucketPlan(f"{name}-5m", "5m", influx.five_minute_days * DAY_S, WEEK_S, "totals of five minutes"),
        BucketPlan(f"{name}-1h", "1h", influx.hour_days * DAY_S, 4 * WEEK_S, "totals of an hour"),
        BucketPlan(f"{name}-1d", "1d", 0, 52 * WEEK_S, "totals of a day, live rows, marks; for ever"),
        BucketPlan(f"{name}-ops", "ops", OPS_RETENTION_DAYS * DAY_S, WEEK_S, "figures about the stack itself"),
    )


def role_permissions(role: str, bucket: str) -> tuple[BucketPermission, ...]:
    """Return the least permissions of a role; raises KeyError for a role that has no token."""
    totals = [f"{bucket}-{width}" for width in TOTALS_TIERS]
    reads = {"ingest": [bucket], "rollup": [bucket, *totals], "api": totals}[role]
    writes = [] if role == "api" else reads
    return (
        *(BucketPermission("read", name) for name in reads), *(BucketPermission("write", name) for name in writes),
    )  # fmt: skip


def token_plans(options: TokenOptions, bucket: str) -> tuple[TokenPlan, ...]:
    """Return every role's token of this generation, and of the previous one unless it is `gone`."""
    generations = {options.generation: True}
    if options.generation > 1 and options.previous != "gone":
        generations[options.generation - 1] = options.previous == "active"
    return tuple(
        TokenPlan(f"{role}-g{generation}", role, generation, role_permissions(role, bucket), active)
        for generation, active in generations.items()
        for role in TOKEN_ROLES
    )


def upstream_plan(national: NationalOptions, bucket: str, province: str) -> UpstreamPlan:
    """Return the replication of totals; raw events remain in the province."""
    streams = tuple(
        ReplicationPlan(f"{province}-{width}", f"{bucket}-{width}", f"{national.bucket}-{width}")
        for width in TOTALS_TIERS
    )
    return UpstreamPlan(
        "national",
        national.url,
        national.org_id,
        streams,
        national.queue_bytes,
        national.age_days * DAY_S,
        national.allow_insecure_tls,
    )


def influx_plan(options: StackOptions, province: str) -> InfluxPlan:
    """Return everything that InfluxDB must contain."""
    influx = options.influx
    task = TaskPlan("motcua-capacity", _CAPACITY_FLUX.format(raw=influx.bucket, ops=f"{influx.bucket}-ops"))
    dbrps = [DbrpPlan(influx.bucket, width, f"{influx.bucket}-{width}", width == "1d") for width in TOTALS_TIERS]
    return InfluxPlan(
        influx.url,
        influx.org,
        bucket_plans(influx),
        token_plans(options.tokens, influx.bucket),
        (task,) if influx.capacity_task else (),
        tuple(dbrps) if influx.influxql else (),
        upstream_plan(options.national, influx.bucket, province) if options.national else None,
    )


def store_url(plan: StackPlan, url: str = "", ca: str = "") -> str:
    """Return MOTCUA_STORE for the stack's InfluxDB, or the same one at another address; `ca`: file of its authority."""
    raw = next(bucket.name for bucket in plan.influx.buckets if bucket.tier == "raw")
    query = {"org": plan.influx.org, "bucket": raw, "province": plan.province, **({"ca": ca} if ca else {})}
    return f"influxdb+{url or plan.influx.url}?{urlencode(query)}"
