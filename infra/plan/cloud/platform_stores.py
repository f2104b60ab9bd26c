"""Buckets and queues, which services of the platform hold for a system: where they are missing or called wrongly. Pure.

It must not open or create one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.plan.cloud.queues import QUEUE_TLS_PORT, queue_port
from infra.plan.cloud.sentences import Sentence
from infra.plan.cloud.values import QUEUE_OPERATOR
from telemetry.errors import Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint, SystemPlan
    from telemetry.core.cloud.values import Component


@dataclass(frozen=True, slots=True)
class UnservedComponent:
    """A declared component that no service of the platform holds, and the policy rule about it."""

    rule: str
    declared: Component
    problem: Sentence
    remedy: Sentence

    @property
    def fault(self) -> Fault:
        """Return it as a fault of the line that declares the component."""
        declared, problem = self.declared, f"{self.rule}: {self.problem.en}"
        return declaration_fault(declared.declared_at, "components.csv", declared.path, problem, self.remedy.en)


def unserved_components(plan: CloudPlan, system: SystemPlan) -> Iterator[UnservedComponent]:
    """Yield the queues of a system without an operator that runs queues, and its buckets without an object store."""
    for planned in system.components:
        declared = planned.declared
        if declared.kind == "queue" and QUEUE_OPERATOR not in plan.declaration.ground.engines:
            problem = Sentence(
                "no operator of the cluster runs queues, so that target kubernetes refuses it",
                "Cụm chưa có bộ vận hành hàng đợi bản tin, nên không triển khai được trên Kubernetes",
            )
            remedy = Sentence(
                f"write version in [ground.engines.{QUEUE_OPERATOR}] of cloud.toml, or use a peer outside",
                f"Ghi phiên bản (version) trong [ground.engines.{QUEUE_OPERATOR}] của cloud.toml, hoặc dùng dịch vụ "
                "bên ngoài",
            )
            yield UnservedComponent("queue-operator", declared, problem, remedy)
        elif declared.kind == "queue" and declared.port not in {0, queue_port(plan.declaration, declared)}:
            yield _wrong_port(plan, declared)
        elif declared.kind == "objects" and "objects" not in plan.declaration.platform:
            problem = Sentence(
                "the platform has no object store for its bucket", "Nền tảng chưa có kho đối tượng cho kho tệp này"
            )
            remedy = Sentence(
                "declare [platform.objects] in cloud.toml with its address or namespace",
                "Khai báo [platform.objects] trong cloud.toml, kèm địa chỉ hoặc namespace",
            )
            yield UnservedComponent("object-store", declared, problem, remedy)


def _wrong_port(plan: CloudPlan, queue: Component) -> UnservedComponent:
    """Return a queue with a port that its operator does not open."""
    port = queue_port(plan.declaration, queue)
    by_tls, vi = ("with TLS", "có TLS") if port == QUEUE_TLS_PORT else ("without TLS", "không có TLS")
    problem = Sentence(
        f"has port {queue.port}, and its operator opens {port} alone for calls {by_tls}",
        f"Cổng khai báo là {queue.port}, nhưng bộ vận hành hàng đợi chỉ mở cổng {port} cho kết nối {vi}",
    )
    remedy = Sentence(
        f"write {port} as its port, and in the rows of flows.csv that call it",
        f"Ghi {port} làm cổng của hàng đợi và trong các dòng của flows.csv gọi tới nó",
    )
    return UnservedComponent("queue-operator", queue, problem, remedy)


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
