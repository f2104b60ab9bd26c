"""Rules about who answers for a system and where it lives: agencies, countries of sites, stages apart. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import NETWORKS_VI, Sentence, day_vi
from infra.policy.cloud.breach import (
    CLOUD,
    CloudBreach,
    all_systems,
    highest_level,
    shared_breach,
    system_breach,
    systems_under,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from telemetry.core.cloud.values import Agency

COUNTRY: Final = "VN"
_OUTSIDE_REMEDY: Final = Sentence(
    "store it in Vietnam: a site with country = VN", "Lưu trữ tại Việt Nam: địa điểm có country = VN"
)
_ROLES_VI: Final = {"owner": "Chủ quản", "operator": "Đơn vị vận hành", "security": "Đơn vị chuyên trách an ninh mạng"}


def check_tenancy(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about owners, sites and stages."""
    for system in all_systems(plan):
        yield from _owner_breaches(plan, system)
    yield from _country_breaches(plan)
    yield from _shared_name_breaches(plan)
    if not plan.declaration.ground.stages_apart:
        for system in systems_under(plan, "stage-apart"):
            problem = Sentence(
                "its stages share a cluster or a project", "Các môi trường dùng chung một cụm hoặc một dự án"
            )
            remedy = Sentence(
                "give each stage a cluster of its own, then write stages_apart = true in [ground] of cloud.toml",
                "Đặt mỗi môi trường trên một cụm riêng, rồi ghi stages_apart = true trong [ground] của cloud.toml",
            )
            yield shared_breach("stage-apart", system, problem, remedy, plan.declaration.ground.declared_at)


def _owner_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    declared = system.declared
    for role in ("owner", "operator", "security"):
        ident = str(getattr(declared, role))
        agency = plan.declaration.agencies.get(ident)
        if agency is None:
            problem = Sentence(
                f"{role} {ident!r} is no declared agency",
                f"{_ROLES_VI[role]} “{ident}” không có trong danh sách cơ quan",
            )
            remedy = Sentence("name an agency of agencies.csv", "Nêu một cơ quan của agencies.csv")
            yield system_breach("one-owner", system, problem, remedy)
        elif not agency.is_valid_on(plan.today):
            problem, remedy = _validity_problem(role, agency, plan)
            yield system_breach("one-owner", system, problem, remedy)
    if declared.operator == declared.security:
        yield CloudBreach(
            "one-owner",
            system.id,
            Sentence(
                f"{declared.operator} operates it and is its security unit, so that it would assess itself",
                f"{declared.operator} vừa vận hành vừa là đơn vị chuyên trách an ninh mạng, nên tự đánh giá chính mình",
            ),
            Sentence("name another agency: security", "Nêu cơ quan khác (security)"),
            declared.level,
            declared_at=declared.declared_at,
            clause="331 Art. 31.2.c",
        )


def _validity_problem(role: str, agency: Agency, plan: CloudPlan) -> tuple[Sentence, Sentence]:
    """Return (problem, remedy) of an agency that does not exist today."""
    if agency.valid_to is not None and agency.valid_to <= plan.today:
        successor = agency.successor
        followed = (f"; its successor is {successor}", f"; cơ quan kế thừa là {successor}") if successor else ("", "")
        ended = Sentence(
            f"{role} {agency.id} ended on {agency.valid_to}{followed[0]}",
            f"{_ROLES_VI[role]} {agency.id} đã chấm dứt ngày {day_vi(agency.valid_to)}{followed[1]}",
        )
        if successor:
            return ended, Sentence(f'write {role} = "{successor}"', f'Ghi {role} = "{successor}"')
        return ended, Sentence(f"name the agency that follows it: {role}", f"Nêu cơ quan kế thừa ({role})")
    begun_vi = day_vi(agency.valid_from) if agency.valid_from else ""
    return (
        Sentence(
            f"{role} {agency.id} begins on {agency.valid_from}",
            f"{_ROLES_VI[role]} {agency.id} chỉ có hiệu lực từ ngày {begun_vi}",
        ),
        Sentence(f"name an agency of today: {role}", f"Nêu cơ quan đang có hiệu lực ({role})"),
    )


def _country_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield each site that is not in Vietnam, and each outside party that stores data elsewhere."""
    declaration, level = plan.declaration, highest_level(plan)
    for site in declaration.sites.values():
        if site.country != COUNTRY:
            copies = [store.id for store in declaration.backups if store.site == site.id]
            holds = f", with the copies in {', '.join(copies)}" if copies else ""
            holds_vi = f", có bản sao trong {', '.join(copies)}" if copies else ""
            place_vi = f"đặt tại {site.country}" if site.country else "chưa ghi quốc gia"
            problem = Sentence(
                f"site {site.id} is in {site.country or 'no country'}{holds}",
                f"Địa điểm {site.id} {place_vi}{holds_vi}",
            )
            yield CloudBreach("site-country", CLOUD, problem, _OUTSIDE_REMEDY, level, site.declared_at)
    for peer in declaration.peers.values():
        if peer.country and peer.country != COUNTRY:
            problem = Sentence(
                f"peer {peer.id} stores data in {peer.country}", f"Bên ngoài {peer.id} lưu dữ liệu tại {peer.country}"
            )
            yield CloudBreach("site-country", CLOUD, problem, _OUTSIDE_REMEDY, level, peer.declared_at)


def _shared_name_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield each system whose zone has the physical name or the addresses of another system's."""
    owners: dict[str, str] = {}
    for system in systems_under(plan, "system-apart"):
        owners |= {zone.namespace: system.id for zone in system.zones if zone.namespace not in owners}
    for system in all_systems(plan):
        for zone in system.zones:
            other = owners.get(zone.namespace, system.id)
            if other != system.id:
                yield CloudBreach(
                    "system-apart",
                    system.id,
                    Sentence(
                        f"zone {zone.zone} has the physical name {zone.namespace}, as has {other}",
                        f"Tên vật lý {zone.namespace} của {NETWORKS_VI[zone.zone]} trùng với hệ thống {other}",
                    ),
                    Sentence(
                        "give each system its own in cloud.lock: `motcua cloud lock`",
                        "Cấp tên riêng cho mỗi hệ thống trong cloud.lock: `motcua cloud lock`",
                    ),
                    max(system.declared.level, 3),
                    declared_at=system.declared.declared_at,
                )
