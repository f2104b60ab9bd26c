"""Buckets and the platform's object store that holds them, for every target. Pure; it must not open or create one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.errors import Fault, declaration_fault

if TYPE_CHECKING:
    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint


def is_bucket(plan: CloudPlan, end: Endpoint) -> bool:
    """Return whether an end is a component of objects: in the platform's store, without machine or pods."""
    if end.kind != "component":
        return False
    return any(
        one.declared.id == end.name and one.declared.kind == "objects" for one in plan.system(end.system).components
    )


def store_port_fault(plan: CloudPlan, connection: AllowedConnection) -> Fault | None:
    """Return the fault of a connection to a bucket at another port than the object store's.

    It would open a port at which nothing answers. A store that is not declared is no fault here.
    """
    store = plan.declaration.platform.get("objects")
    if store is None or connection.port == store.port or not is_bucket(plan, connection.target):
        return None
    problem = f"calls port {connection.port}, and the object store answers at {store.port}"
    where = f"{connection.source} → {connection.target}"
    remedy = f"write {store.port} in flows.csv"
    return declaration_fault(connection.declared_at, "flows.csv", where, problem, remedy)
