"""Rules about data and secrets: encrypted in transit and at rest, secrets by reference. Pure; it outputs no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import NETWORKS_VI, Sentence
from infra.policy.cloud.breach import CLOUD, CloudBreach, component_breach, shared_breach, system_breach, systems_under
from infra.policy.secret_scan import PLAIN_TEXT_REMEDY, SECRET_KINDS_VI, secret_kind_in
from telemetry.core.cloud.values import DATA_ZONE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan

_PLAIN_TEXT_REMEDY: Final = Sentence(
    PLAIN_TEXT_REMEDY, "Đọc khi chạy từ tệp hoặc kho bí mật, và coi giá trị này là đã bị lộ"
)


def check_data(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about encryption and secrets."""
    yield from _transit_breaches(plan)
    yield from _rest_breaches(plan)
    yield from _secret_breaches(plan)


def _transit_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    systems = {system.id: system for system in systems_under(plan, "tls")}
    for flow in plan.declaration.flows:
        # One end is enough: data of a protected system stay protected on their way to another one. Each owner is told.
        places = {end.system: end for end in (flow.target, flow.source) if end.system in systems and not flow.tls}
        for system, end in sorted(places.items()):
            problem = Sentence(
                f"{flow.source} → {flow.target} port {flow.port} has no TLS",
                f"Kết nối {flow.source} → {flow.target} cổng {flow.port} không có TLS",
            )
            remedy = Sentence(
                "serve it with a certificate of ours, at least TLS 1.2, and remove tls = no",
                "Cung cấp dịch vụ bằng chứng thư của hệ thống, tối thiểu TLS 1.2, rồi bỏ tls = no",
            )
            yield CloudBreach("tls", str(end), problem, remedy, systems[system].declared.level, flow.declared_at)
    for planned in systems.values():
        if planned.declared.exposure != "none" and not planned.declared.host:
            exposure = planned.declared.exposure
            problem = Sentence(
                f"is exposed to {exposure} without a host name: it can have no certificate",
                f"Mở ra {NETWORKS_VI[exposure]} mà không có tên miền, nên không thể có chứng thư",
            )
            yield system_breach("tls", planned, problem, Sentence("declare its host", "Khai báo tên miền (host)"))


def _rest_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    ground = plan.declaration.ground
    for system in systems_under(plan, "at-rest"):
        if not ground.storage_encrypted:
            problem = Sentence("volumes are not encrypted", "Ổ đĩa chưa được mã hóa")
            remedy = Sentence(
                "use a type that is, then write storage_encrypted = true in [ground] of cloud.toml",
                "Dùng loại ổ đĩa có mã hóa, rồi ghi storage_encrypted = true trong [ground] của cloud.toml",
            )
            yield shared_breach("at-rest", system, problem, remedy, ground.declared_at)
        if not ground.etcd_encrypted:
            problem = Sentence("the cluster stores secrets in plain text", "Cụm lưu thông tin bí mật mà không mã hóa")
            remedy = Sentence(
                "encrypt etcd, then write etcd_encrypted = true in [ground] of cloud.toml",
                "Mã hóa etcd, rồi ghi etcd_encrypted = true trong [ground] của cloud.toml",
            )
            yield shared_breach("at-rest", system, problem, remedy, ground.declared_at)
        if not any(one.declared.kind in DATA_ZONE_KINDS for one in system.components):
            continue
        for store in plan.declaration.backups:
            if not store.encrypted:
                problem = Sentence(
                    f"its copies in {store.id} are not encrypted", f"Bản sao trong kho {store.id} chưa được mã hóa"
                )
                remedy = Sentence(
                    f"encrypt them, then write encrypted = true in the [[backup]] {store.id} of cloud.toml",
                    f"Mã hóa bản sao, rồi ghi encrypted = true trong [[backup]] {store.id} của cloud.toml",
                )
                yield shared_breach("at-rest", system, problem, remedy, store.declared_at)


def _secret_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    systems = {system.id: system for system in systems_under(plan, "secret-source")}
    for system in systems.values():
        needs = any(one.declared.kind in DATA_ZONE_KINDS for one in system.components)
        if needs and "secrets" not in plan.declaration.platform:
            problem = Sentence(
                "its credentials have no source: no service of the platform holds secrets",
                "Thông tin xác thực không có nguồn: nền tảng chưa có kho bí mật",
            )
            remedy = Sentence(
                "declare [platform.secrets] in cloud.toml", "Khai báo [platform.secrets] trong cloud.toml"
            )
            yield shared_breach("secret-source", system, problem, remedy, "")
        for planned in system.components:
            component = planned.declared
            for name, text in (("image", component.image), ("health", component.health)):
                what = secret_kind_in(text)
                if what:
                    problem = Sentence(f"{name} holds {what}", f"Mục {name} có chứa {SECRET_KINDS_VI[what]}")
                    yield component_breach("secret-source", system, component, problem, _PLAIN_TEXT_REMEDY)
    for flow in plan.declaration.flows:
        ends = [end for end in (flow.source, flow.target) if end.system in systems]
        what = secret_kind_in(f"{flow.why}\n{flow.no_tls_reason}")
        if what and ends:
            level = max(systems[end.system].declared.level for end in ends)
            problem = Sentence(
                f"the reason of {flow.source} → {flow.target} holds {what}",
                f"Lý do của kết nối {flow.source} → {flow.target} có chứa {SECRET_KINDS_VI[what]}",
            )
            yield CloudBreach(
                "secret-source", str(ends[0]) or CLOUD, problem, _PLAIN_TEXT_REMEDY, level, flow.declared_at
            )
