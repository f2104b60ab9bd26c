"""The plan as resource specs (name, kind, inputs), for Pulumi and for `motcua drift`. Pure; no plan has a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers.resource_kind import ResourceSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.plan.values import BucketPlan, CertificatePlan, DbrpPlan, ReplicationPlan, TokenPlan, UpstreamPlan


def resource_specs(plan: StackPlan, options: StackOptions) -> tuple[ResourceSpec, ...]:
    """Return InfluxDB's organisation, buckets, tokens, tasks, DBRP mappings and replications, in order of creation."""
    influx = plan.influx
    adopt = {"adopt": True} if options.influx.adopt else {}
    return (
        ResourceSpec("organisation", "influx.organisation", {"name": influx.org, **adopt}),
        *(_bucket_spec(bucket, influx.org, options) for bucket in influx.buckets),
        *(_token_spec(token, influx.org, plan) for token in influx.tokens),
        *(
            ResourceSpec(f"task-{task.name}", "influx.task", {"org": influx.org, "name": task.name, "flux": task.flux})
            for task in influx.tasks
        ),
        *(_dbrp_spec(mapping, influx.org) for mapping in influx.dbrps),
        *(_upstream_specs(influx.upstream, influx.org) if influx.upstream else ()),
    )


def _bucket_spec(bucket: BucketPlan, org: str, options: StackOptions) -> ResourceSpec:
    inputs: dict[str, object] = {
        "org": org, "name": bucket.name, "retention_s": bucket.retention_s, "description": bucket.description,
    }  # fmt: skip
    optional = {
        "shard_s": bucket.shard_s, "adopt": options.influx.adopt, "allow_shrink": options.influx.allow_shrink,
    }  # fmt: skip
    inputs |= {name: value for name, value in optional.items() if value}
    return ResourceSpec(f"bucket-{bucket.tier}", "influx.bucket", inputs)


def _token_spec(token: TokenPlan, org: str, plan: StackPlan) -> ResourceSpec:
    rights = [{"action": right.action, "type": "buckets", "bucket": right.bucket} for right in token.permissions]
    name = f"{plan.province}-{plan.stage}-{token.name}"
    inputs = {"org": org, "name": name, "permissions": rights, "active": token.active}
    return ResourceSpec(f"token-{token.name}", "influx.authorization", inputs)


def _dbrp_spec(dbrp: DbrpPlan, org: str) -> ResourceSpec:
    inputs = {
        "org": org, "database": dbrp.database, "policy": dbrp.policy, "bucket": dbrp.bucket, "default": dbrp.default,
    }  # fmt: skip
    return ResourceSpec(f"influxql-{dbrp.policy}", "influx.dbrp", inputs)


def _upstream_specs(upstream: UpstreamPlan, org: str) -> tuple[ResourceSpec, ...]:
    """Return the remote (its token is added where it is known) and its replications."""
    remote = {
        "org": org, "name": upstream.name, "url": upstream.url, "remote_org_id": upstream.org_id,
        "allow_insecure_tls": upstream.allow_insecure_tls,
    }  # fmt: skip
    return (
        ResourceSpec("remote-national", "influx.remote", remote),
        *(_replication_spec(stream, upstream, org) for stream in upstream.streams),
    )


def _replication_spec(stream: ReplicationPlan, upstream: UpstreamPlan, org: str) -> ResourceSpec:
    inputs = {
        "org": org, "name": stream.name, "remote": upstream.name, "bucket": stream.local_bucket,
        "remote_bucket": stream.remote_bucket, "max_queue_bytes": upstream.queue_bytes, "max_age_s": upstream.max_age_s,
        "drop_non_retryable": False,
    }  # fmt: skip
    return ResourceSpec(f"replication-{stream.name}", "influx.replication", inputs)


def authority_spec(planned: CertificatePlan, stage: str, root: Mapping[str, object]) -> ResourceSpec:
    """Return an authority below the operator's root, or with a root created for it when `root` is empty."""
    inputs: dict[str, object] = {**validity_inputs(planned), "name": planned.name, "stage": stage}
    inputs |= dict(root) if "root_certificate" in root else {"self_rooted": True}
    return ResourceSpec(f"authority-g{planned.generation}", "pki.authority", inputs)


def validity_inputs(planned: CertificatePlan) -> dict[str, object]:
    """Return a certificate's generation and validity as inputs."""
    return {
        "generation": planned.generation,
        "not_before": planned.not_before.isoformat(),
        "not_after": planned.not_after.isoformat(),
    }
