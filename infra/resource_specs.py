"""The plan as things with names, kinds and inputs, for Pulumi and for `motcua drift` alike. Pure; holds no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers.resource_kind import Declared

if TYPE_CHECKING:
    from infra.config.options import Options
    from infra.plan import Plan
    from infra.plan.values import Bucket, Dbrp, Stream, Task, Token, Upstream

MARK = "managed-by=motcua"


def declared(plan: Plan, options: Options) -> tuple[Declared, ...]:
    """Return what InfluxDB holds, in an order in which it can be made.

    These are organisation, buckets, tokens, tasks, names for InfluxQL, streams upwards.
    """
    influx = plan.influx
    adopt = {"adopt": True} if options.influx.adopt else {}
    return (
        Declared("organisation", "influx.organisation", {"name": influx.org, **adopt}),
        *(_bucket(one, influx.org, options) for one in influx.buckets),
        *(_token(one, influx.org, plan) for one in influx.tokens),
        *(_task(one, influx.org) for one in influx.tasks),
        *(_dbrp(one, influx.org) for one in influx.dbrps),
        *(_upstream(influx.upstream, influx.org) if influx.upstream else ()),
    )


def _bucket(bucket: Bucket, org: str, options: Options) -> Declared:
    inputs: dict[str, object] = {
        "org": org, "name": bucket.name, "retention_s": bucket.retention_s, "description": bucket.description,
    }  # fmt: skip
    if bucket.shard_s:
        inputs["shard_s"] = bucket.shard_s
    if options.influx.adopt:
        inputs["adopt"] = True
    if options.influx.allow_shrink:
        inputs["allow_shrink"] = True
    return Declared(f"bucket-{bucket.tier}", "influx.bucket", inputs)


def _token(token: Token, org: str, plan: Plan) -> Declared:
    rights = [{"action": one.action, "type": "buckets", "bucket": one.bucket} for one in token.permissions]
    name = f"{plan.province}-{plan.stage}-{token.name}"
    return Declared(
        f"token-{token.name}",
        "influx.authorization",
        {"org": org, "name": name, "permissions": rights, "active": token.active},
    )


def _task(task: Task, org: str) -> Declared:
    return Declared(f"task-{task.name}", "influx.task", {"org": org, "name": task.name, "flux": task.flux})


def _dbrp(dbrp: Dbrp, org: str) -> Declared:
    inputs = {
        "org": org, "database": dbrp.database, "policy": dbrp.policy, "bucket": dbrp.bucket, "default": dbrp.default,
    }  # fmt: skip
    return Declared(f"influxql-{dbrp.policy}", "influx.dbrp", inputs)


def _upstream(upstream: Upstream, org: str) -> tuple[Declared, ...]:
    """Return the remote (its token is added where it is known) and one replication for each stream."""
    remote = {
        "org": org, "name": upstream.name, "url": upstream.url, "remote_org_id": upstream.org_id,
        "allow_insecure_tls": upstream.allow_insecure_tls,
    }  # fmt: skip
    return (
        Declared("remote-national", "influx.remote", remote),
        *(_stream(one, upstream, org) for one in upstream.streams),
    )


def _stream(stream: Stream, upstream: Upstream, org: str) -> Declared:
    inputs = {
        "org": org, "name": stream.name, "remote": upstream.name, "bucket": stream.local,
        "remote_bucket": stream.remote, "max_queue_bytes": upstream.queue_bytes, "max_age_s": upstream.age_s,
        "drop_non_retryable": False,
    }  # fmt: skip
    return Declared(f"replication-{stream.name}", "influx.replication", inputs)
