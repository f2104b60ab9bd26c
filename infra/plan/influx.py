"""What InfluxDB is to hold: buckets, tokens with the least rights, tasks, the stream to the national one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.values import Bucket, Dbrp, InfluxPlan, Permission, Stream, Task, Token, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.config.options import Influx, National, Options, Tokens

DAY_S = 86_400
WEEK_S = 7 * DAY_S
OPS_DAYS = 90
TOTALS = ("5m", "1h", "1d")
ROLES = ("ingest", "rollup", "api")

_CAPACITY = """option task = {{name: "motcua-capacity", every: 1h, offset: 5m}}

from(bucket: "{raw}")
    |> range(start: -task.every)
    |> filter(fn: (r) => r._field == "n")
    |> group()
    |> count()
    |> map(fn: (r) => ({{_time: now(), _measurement: "capacity", _field: "raw_events", _value: r._value}}))
    |> to(bucket: "{ops}")
"""


def buckets(influx: Influx) -> tuple[Bucket, ...]:
    """Return the raw bucket, the totals' and the operators' own; days of 0 keep for ever.

    The day totals are kept for ever whatever is asked: live rows and marks lie there.
    """
    name = influx.bucket
    return (
        Bucket(name, "raw", influx.raw_days * DAY_S, DAY_S, "raw events, as devices sent them"),
        Bucket(f"{name}-5m", "5m", influx.five_minute_days * DAY_S, WEEK_S, "totals of five minutes"),
        Bucket(f"{name}-1h", "1h", influx.hour_days * DAY_S, 4 * WEEK_S, "totals of an hour"),
        Bucket(f"{name}-1d", "1d", 0, 52 * WEEK_S, "totals of a day, live rows, marks; for ever"),
        Bucket(f"{name}-ops", "ops", OPS_DAYS * DAY_S, WEEK_S, "figures about the stack itself"),
    )


def rights(role: str, bucket: str) -> tuple[Permission, ...]:
    """Return what a role needs and no more; raises KeyError for a role that has no token."""
    totals = [f"{bucket}-{width}" for width in TOTALS]
    reads = {"ingest": [bucket], "rollup": [bucket, *totals], "api": totals}[role]
    writes = {"ingest": [bucket], "rollup": [bucket, *totals], "api": []}[role]
    return (*_each("read", reads), *_each("write", writes))


def _each(action: str, names: Iterable[str]) -> tuple[Permission, ...]:
    return tuple(Permission("read" if action == "read" else "write", name) for name in names)


def tokens(wanted: Tokens, bucket: str) -> tuple[Token, ...]:
    """Return every role's token of this generation, and of the one before while it is kept."""
    found = [_token(role, wanted.generation, bucket, active=True) for role in ROLES]
    if wanted.generation > 1 and wanted.previous != "gone":
        active = wanted.previous == "active"
        found += [_token(role, wanted.generation - 1, bucket, active=active) for role in ROLES]
    return tuple(found)


def _token(role: str, generation: int, bucket: str, *, active: bool) -> Token:
    return Token(f"{role}-g{generation}", role, generation, rights(role, bucket), active)


def upstream(national: National, bucket: str, province: str) -> Upstream:
    """Return the stream of the roll-ups; raw events stay in the province."""
    streams = tuple(
        Stream(f"{province}-{width}", f"{bucket}-{width}", f"{national.bucket}-{width}") for width in TOTALS
    )
    return Upstream(
        "national",
        national.url,
        national.org_id,
        streams,
        national.queue_bytes,
        national.age_days * DAY_S,
        national.allow_insecure_tls,
    )


def influx_plan(options: Options, province: str) -> InfluxPlan:
    """Return everything that InfluxDB is to hold."""
    influx = options.influx
    task = Task("motcua-capacity", _CAPACITY.format(raw=influx.bucket, ops=f"{influx.bucket}-ops"))
    readable = [Dbrp(influx.bucket, width, f"{influx.bucket}-{width}", width == "1d") for width in TOTALS]
    return InfluxPlan(
        influx.url,
        influx.org,
        buckets(influx),
        tokens(options.tokens, influx.bucket),
        (task,) if influx.capacity_task else (),
        tuple(readable) if influx.influxql else (),
        upstream(options.national, influx.bucket, province) if options.national else None,
    )
