"""The plan of hosted systems: names, projects, slots, quotas, connections of the base declaration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.plan.cloud import build_cloud_plan
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_declaration,
    base_lock,
    component_end,
    hosted_system,
    outside,
    with_system,
)

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration


def plan_of(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)


def test_the_base_system_has_its_project_and_three_zones() -> None:
    system = plan_of(base_declaration()).system(ONESTOP)
    assert system.project == "vn83-onestop-prod"
    assert [zone.namespace for zone in system.zones] == [
        "vn83-onestop-dmz",
        "vn83-onestop-server",
        "vn83-onestop-database",
    ]
    assert [zone.cidr for zone in system.zones] == ["10.83.65.0/24", "10.83.129.0/24", "10.83.193.0/24"]


def test_an_edited_declaration_or_plan_has_indexes_of_its_own() -> None:
    base = base_declaration()
    db = component_end(ONESTOP, "db")
    assert base.component(db) is base.components[2]
    assert [one.id for one in base.components_of(ONESTOP)] == ["app", "db", "web"]
    fewer = replace(base, components=base.components[:2])
    assert (fewer.component(db), len(fewer.components_of(ONESTOP))) == (None, 2)
    assert base.component(outside("internet")) is None
    plan = plan_of(base)
    assert plan.connections_of(ONESTOP, "db")[0] in plan.connections
    alone = replace(plan, connections=())
    assert not any(one.origin == "declared" for one in alone.connections_of(ONESTOP, "db"))
    every = [*plan.connections, *plan.platform_connections]
    for one in plan.components_by_path.values():
        own = [each for each in every if one.declared.path in {str(each.source), str(each.target)}]
        assert list(plan.connections_of(ONESTOP, one.declared.id)) == own


def test_a_quota_is_what_may_run_and_one_roll_out() -> None:
    dmz, server, database = plan_of(base_declaration()).system(ONESTOP).zones
    assert (dmz.quota.cpu_millicores, dmz.quota.memory_mb, dmz.quota.instances) == (2500, 5120, 5)
    assert (server.quota.cpu_millicores, server.quota.memory_mb, server.quota.instances) == (3000, 6144, 3)
    assert (database.quota.cpu_millicores, database.quota.disk_gb, database.quota.instances) == (8000, 600, 4)


def test_an_outside_flow_passes_the_edge() -> None:
    connections = [f"{one.source} → {one.target} {one.port}" for one in plan_of(base_declaration()).connections]
    assert connections == [
        "vn83-onestop/app → vn83-onestop/db 5432",
        "vn83-onestop/web → vn83-onestop/app 8081",
        "edge:internet → vn83-onestop/web 8080",
        "outside:internet → edge:internet 443",
    ]


def test_a_system_without_a_lock_has_names_but_no_addresses() -> None:
    zones = plan_of(replace(base_declaration(), lock=())).system(ONESTOP).zones
    assert [(zone.slot, zone.cidr) for zone in zones] == [(0, "")] * 3
    assert [zone.namespace for zone in zones] == [entry.name for entry in base_lock()]


def test_a_system_of_level_5_is_set_apart() -> None:
    plan = plan_of(with_system(base_declaration(), hosted_system(level=5)))
    assert plan.systems == ()
    assert [system.id for system in plan.refused] == [ONESTOP]
    assert plan.connections == plan.platform_connections == ()
