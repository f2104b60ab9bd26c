"""Rules about spares: instances of each component, control planes, a second site. Pure."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import Sentence
from infra.policy.cloud.breach import CloudBreach, component_breach, shared_breach, system_breach, systems_under

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from telemetry.core.cloud.values import ComponentKind, Site

LEAST_INSTANCES: Final[dict[ComponentKind, int]] = {"web": 2, "app": 2, "gateway": 2, "database": 3}
"""Instances of a component from level 3; three of a database, so that one that is lost is outvoted."""
LEAST_CONTROL_PLANES: Final = 3
LEAST_SPARE_KM: Final = 30.0
"""The distance of a spare site, km: TCVN 14423:2026 7.12.2.2 a."""
_EARTH_RADIUS_KM = 6371.0


def check_availability(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about spares."""
    for system in systems_under(plan, "replicas"):
        yield from _instance_breaches(system)
        planes = plan.declaration.ground.control_planes
        if planes < LEAST_CONTROL_PLANES:
            count = "1 control plane" if planes == 1 else f"{planes} control planes"
            problem = Sentence(
                f"the cluster has {count}, and stops with one of them",
                f"Cụm chỉ có {planes} máy điều khiển, ngừng hoạt động khi một máy hỏng",
            )
            most = LEAST_CONTROL_PLANES
            remedy = Sentence(
                f"run {most} on machines of their own, then write control_planes = {most} in [ground] of cloud.toml",
                f"Chạy {most} máy điều khiển trên các máy riêng, rồi ghi control_planes = {most} trong [ground] của "
                "cloud.toml",
            )
            yield shared_breach("replicas", system, problem, remedy, plan.declaration.ground.declared_at)
    for system in systems_under(plan, "site-spare"):
        yield from _spare_breaches(plan, system)


def _instance_breaches(system: SystemPlan) -> Iterator[CloudBreach]:
    for planned in system.components:
        component = planned.declared
        least = LEAST_INSTANCES.get(component.kind, 0)
        if component.least < least:
            level = system.declared.level
            problem = Sentence(
                f"runs {component.least} of the {least} instances that level {level} asks for",
                f"Chạy {component.least} trong {least} bản mà cấp độ {level} yêu cầu",
            )
            remedy = Sentence(f"write least = {least} in components.csv", f"Ghi least = {least} trong components.csv")
            yield component_breach("replicas", system, component, problem, remedy)


def _spare_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    sites = plan.declaration.sites
    main, spare = sites.get(system.declared.site), sites.get(system.declared.spare_site)
    remedy = Sentence(
        f"declare a spare site at least {LEAST_SPARE_KM:g} km away: spare_site",
        f"Khai báo địa điểm dự phòng cách ít nhất {LEAST_SPARE_KM:g} km: spare_site",
    )
    if main is None or spare is None:
        problem = Sentence("has no spare site", "Chưa có địa điểm dự phòng")
        yield system_breach("site-spare", system, problem, remedy)
        return
    distance = distance_km(main, spare)
    if distance < LEAST_SPARE_KM:
        problem = Sentence(
            f"its spare site {spare.id} is {distance:.0f} km away",
            f"Địa điểm dự phòng {spare.id} chỉ cách {distance:.0f} km",
        )
        yield system_breach("site-spare", system, problem, remedy)


def distance_km(one: Site, other: Site) -> float:
    """Return the great-circle distance of two sites, km (haversine formula)."""
    latitudes = radians(one.latitude), radians(other.latitude)
    half_latitude = sin((latitudes[1] - latitudes[0]) / 2)
    half_longitude = sin(radians(other.longitude - one.longitude) / 2)
    chord = half_latitude**2 + cos(latitudes[0]) * cos(latitudes[1]) * half_longitude**2
    return 2 * _EARTH_RADIUS_KM * asin(sqrt(chord))
