"""Rules about data and secrets: encrypted in transit and at rest, secrets by reference. Pure; it outputs no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.policy.cloud.breach import CLOUD, CloudBreach, component_breach, shared_breach, system_breach, systems_under
from infra.policy.secret_scan import PLAIN_TEXT_REMEDY, secret_kind_in
from telemetry.core.cloud.values import DATA_ZONE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan


def check_data(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about encryption and secrets."""
    yield from _transit_breaches(plan)
    yield from _rest_breaches(plan)
    yield from _secret_breaches(plan)


def _transit_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    systems = {system.id: system for system in systems_under(plan, "tls")}
    for flow in plan.declaration.flows:
        # One end is enough: data of a protected system stay protected on their way to another one.
        ends = [end for end in (flow.source, flow.target) if end.system in systems]
        if flow.tls or not ends:
            continue
        yield CloudBreach(
            "tls",
            str(ends[0]),
            f"{flow.source} → {flow.target} port {flow.port} has no TLS",
            "serve it with a certificate of ours, at least TLS 1.2, and remove tls = no",
            max(systems[end.system].declared.level for end in ends),
            flow.declared_at,
        )
    for system in systems.values():
        if system.declared.exposure != "none" and not system.declared.host:
            problem = f"is exposed to {system.declared.exposure} without a host name: it can have no certificate"
            yield system_breach("tls", system, problem, "declare its host")


def _rest_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    ground = plan.declaration.ground
    for system in systems_under(plan, "at-rest"):
        if not ground.storage_encrypted:
            remedy = "use a type that is, then write storage_encrypted = true in [ground] of cloud.toml"
            yield shared_breach("at-rest", system, "volumes are not encrypted", remedy, ground.declared_at)
        if not ground.etcd_encrypted:
            problem = "the cluster stores secrets in plain text"
            remedy = "encrypt etcd, then write etcd_encrypted = true in [ground] of cloud.toml"
            yield shared_breach("at-rest", system, problem, remedy, ground.declared_at)
        if not any(one.declared.kind in DATA_ZONE_KINDS for one in system.components):
            continue
        for store in plan.declaration.backups:
            if not store.encrypted:
                problem = f"its copies in {store.id} are not encrypted"
                remedy = f"encrypt them, then write encrypted = true in the [[backup]] {store.id} of cloud.toml"
                yield shared_breach("at-rest", system, problem, remedy, store.declared_at)


def _secret_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    systems = {system.id: system for system in systems_under(plan, "secret-source")}
    for system in systems.values():
        needs = any(one.declared.kind in DATA_ZONE_KINDS for one in system.components)
        if needs and "secrets" not in plan.declaration.platform:
            problem = "its credentials have no source: no service of the platform holds secrets"
            yield shared_breach("secret-source", system, problem, "declare [platform.secrets] in cloud.toml", "")
        for planned in system.components:
            component = planned.declared
            for name, text in (("image", component.image), ("health", component.health)):
                what = secret_kind_in(text)
                if what:
                    problem = f"{name} holds {what}"
                    yield component_breach("secret-source", system, component, problem, PLAIN_TEXT_REMEDY)
    for flow in plan.declaration.flows:
        ends = [end for end in (flow.source, flow.target) if end.system in systems]
        what = secret_kind_in(f"{flow.why}\n{flow.no_tls_reason}")
        if what and ends:
            level = max(systems[end.system].declared.level for end in ends)
            problem = f"the reason of {flow.source} → {flow.target} holds {what}"
            yield CloudBreach(
                "secret-source", str(ends[0]) or CLOUD, problem, PLAIN_TEXT_REMEDY, level, flow.declared_at
            )
