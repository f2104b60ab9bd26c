"""The report of sizes: what systems may use, what quotas leave, what a lost host takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.sizes import HostLoss, host_losses, size_rows
from telemetry.core.cloud.values import Component, Prices
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    changed_components,
    hosted_system,
    with_system,
)

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration


def plan_of(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)


def test_the_size_of_the_base_system() -> None:
    system, agency, site, total = size_rows(plan_of(base_declaration()))
    assert [row.id for row in (system, agency, site, total)] == [ONESTOP, "vn83-ubnd", "main", "vn83"]
    for row in (system, agency, site, total):
        assert (row.instances, row.cpu_millicores, row.memory_mb) == (9, 10_000, 32_768)
        assert (row.disk_gb, row.copies_gb, row.price) == (600, 400, None)
        assert row.log_gb == pytest.approx(3.888)
    quota = 2500 + 3000 + 8000
    running = 2 * 500 + 2 * 1000 + 3 * 2000
    assert system.left_cpu_millicores == quota - running


def test_rows_are_summed_by_owner_and_priced() -> None:
    portal = hosted_system("vn83-portal", owner="vn83-dit")
    declaration = replace(
        with_system(base_declaration(), portal),
        components=(*base_components(), *base_components("vn83-portal")),
        prices=Prices("VND", cpu_core=100_000, memory_gb=50_000, disk_gb=1_000, copy_gb=500),
    )
    rows = size_rows(plan_of(declaration))
    assert [(row.group, row.id) for row in rows if row.group == "agency"] == [
        ("agency", "vn83-dit"),
        ("agency", "vn83-ubnd"),
    ]
    price = 10 * 100_000 + 32 * 50_000 + round(603.888 * 1_000) + 400 * 500
    assert [row.price for row in rows if row.group in {"system", "all"}] == [price, price, 2 * price]


def test_a_bucket_has_room_but_no_instance() -> None:
    files = Component(ONESTOP, "files", "objects", "database", "S", 1, 1, disk_gb=1_000)
    declaration = replace(base_declaration(), components=(*base_components(), files))
    row = size_rows(plan_of(declaration))[0]
    assert (row.instances, row.disk_gb, row.copies_gb) == (9, 1_600, 2_400)


def test_a_component_with_one_instance_stops_with_its_host() -> None:
    assert host_losses(plan_of(base_declaration())) == (HostLoss(ONESTOP, 3500, 11_264, ()),)
    components = changed_components(base_components(), lambda one: one.id != "web", least=1)
    assert host_losses(plan_of(replace(base_declaration(), components=components)))[0].stopped == ("app",)
    level_2 = with_system(replace(base_declaration(), components=components), hosted_system(level=2))
    assert host_losses(plan_of(level_2))[0].stopped == ("app", "db")
