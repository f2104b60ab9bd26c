"""What an edit does to a cloud: every loss of data is named, a rename with `was` changes labels only."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.changes import CloudChange, cloud_changes, data_loss_phrase
from infra.plan.cloud.lock import extended_lock
from infra.plan.cloud.record import decode_cloud_record, encode_cloud_record, record_plan
from telemetry.core.cloud.values import ZoneNetwork
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    ZONE_NETWORKS,
    base_components,
    base_declaration,
    changed_components,
    hosted_system,
    renamed_system,
    with_components,
    with_system,
)
from tests.property_sizes import sized

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration

MOTCUA = "vn83-motcua"
BASE = base_declaration()


def plan_of(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)


def changes(new: CloudDeclaration, old: CloudDeclaration = BASE) -> tuple[CloudChange, ...]:
    return cloud_changes(record_plan(plan_of(old)), plan_of(new))


def losses(new: CloudDeclaration, old: CloudDeclaration = BASE) -> list[str]:
    return [f"{one.kind} {one.where}: {one.problem}" for one in changes(new, old) if one.loses_data]


def with_database(**edit: object) -> CloudDeclaration:
    return replace(BASE, components=changed_components(BASE.components, lambda one: one.id == "db", **edit))


def test_nothing_changes_without_an_edit() -> None:
    assert changes(BASE) == ()


def test_another_id_without_was_would_delete_the_data() -> None:
    assert losses(renamed_system(BASE, MOTCUA)) == [f"delete {ONESTOP}/db: would delete data (db 200 GB)"]
    assert data_loss_phrase(changes(renamed_system(BASE, MOTCUA))) == f"delete {ONESTOP}/db"
    assert "name its earlier id in `was`" in str(changes(renamed_system(BASE, MOTCUA))[0])


def test_another_id_with_was_changes_labels_only() -> None:
    assert [str(one) for one in changes(renamed_system(BASE, MOTCUA, ONESTOP))] == [
        f"change {MOTCUA}: was {ONESTOP}: labels and the alias of the program; all names stay"
    ]
    assert data_loss_phrase(changes(renamed_system(BASE, MOTCUA, ONESTOP))) == ""


def test_a_renamed_component_keeps_its_data() -> None:
    edited = with_database(id="data", was=("db",))
    flows = tuple(replace(one, target=replace(one.target, name="data")) if one.target.name == "db" else one
                  for one in BASE.flows)  # fmt: skip
    assert changes(replace(edited, flows=flows)) == ()
    assert losses(with_database(id="data")) == [f"delete {ONESTOP}/db: would delete data (db 200 GB)"]


@pytest.mark.parametrize(
    ("edit", "loss"),
    [
        ({"disk_gb": 100}, "delete {}/db: disk 200 → 100 GB: a volume cannot shrink, its data would be deleted"),
        (
            {"zone": "server"},
            "move {}/db: would move data (db 200 GB): vn83-onestop-database → vn83-onestop-server, NETWORKS",
        ),
        ({"kind": "queue"}, "delete {}/db: kind database → queue: would delete data (db 200 GB)"),
    ],
)
def test_edits_of_a_database_that_cost_its_data(edit: dict[str, object], loss: str) -> None:
    networks = "10.83.193.0/24 → 10.83.129.0/24"
    assert losses(with_database(**edit)) == [loss.format(ONESTOP).replace("NETWORKS", networks)]


def remedies(new: CloudDeclaration, old: CloudDeclaration = BASE) -> list[str]:
    return [one.remedy for one in changes(new, old) if one.loses_data]


PAGES = Path(__file__).parents[3] / "docs/how-to"
LEVEL_2 = with_system(BASE, hosted_system(level=2))
RENUMBERED = replace(
    BASE,
    zone_networks=(
        *(one for one in ZONE_NETWORKS if one.zone != "database"),
        ZoneNetwork("database", "main", "10.99.0.0/18"),
    ),
)


@pytest.mark.parametrize(
    ("new", "old", "remedy", "page"),
    [
        (BASE, LEVEL_2, "renew the instances one at a time", "raise-a-systems-level.md"),
        (LEVEL_2, BASE, "renew the instances one at a time", "raise-a-systems-level.md"),
        (
            with_components(BASE, f"{ONESTOP}/app", disk_gb=10),
            with_components(LEVEL_2, f"{ONESTOP}/app", disk_gb=10),
            "declare a new component beside it, copy the data",
            "raise-a-systems-level.md",
        ),
        (with_system(BASE, hosted_system(level=5)), BASE, "machines of its own", "raise-a-systems-level.md"),
        (with_system(BASE, hosted_system(data="secret")), BASE, "machines of its own", "raise-a-systems-level.md"),
        (renamed_system(BASE, MOTCUA), BASE, "name its earlier id in `was`", "rename-a-system.md"),
        (with_database(zone="server"), BASE, "declare a new component there", "rename-a-system.md"),
        (with_system(BASE, hosted_system(site="backup")), BASE, "declare a new component there", "rename-a-system.md"),
        (replace(BASE, lock=BASE.lock[:2]), BASE, "take cloud.lock and [zones] of cloud.toml back", ""),
        (RENUMBERED, BASE, "take cloud.lock and [zones] of cloud.toml back", ""),
        (with_database(disk_gb=100), BASE, "write disk_gb 200 again", ""),
        (with_database(kind="queue"), BASE, "write kind database again", ""),
    ],
)  # fmt: skip
def test_each_loss_has_the_remedy_of_its_own_cause(
    new: CloudDeclaration, old: CloudDeclaration, remedy: str, page: str
) -> None:
    (first, *_) = remedies(new, old)
    assert remedy in first
    if page:
        assert f"docs/how-to/{page}" in first


def test_every_page_that_a_remedy_names_is_there() -> None:
    text = (Path(__file__).parents[3] / "infra/plan/cloud/changes.py").read_text()
    named = set(re.findall(r"_HOW_TO\}/([a-z-]+\.md)", text))
    assert len(named) == 3
    assert {name for name in named if not (PAGES / name).is_file()} == set()


def test_a_larger_disk_and_more_instances_are_changes_in_place() -> None:
    assert losses(with_database(disk_gb=300, most=5, size="M")) == []
    assert [one.kind for one in changes(with_database(disk_gb=300, most=5))] == ["change", "change"]


def test_a_component_without_data_may_move() -> None:
    moved = replace(BASE, components=changed_components(BASE.components, lambda one: one.id == "app", zone="dmz"))
    assert losses(moved) == []
    assert [one.where for one in changes(moved) if one.kind == "move"] == [f"{ONESTOP}/app"]


def test_a_database_that_goes_to_another_system_moves_its_data() -> None:
    portal = with_system(BASE, hosted_system("vn83-portal"))
    database = replace(BASE.components[2], system="vn83-portal")
    without = replace(portal, components=(*BASE.components[:2], database))
    assert losses(without, portal) == [f"delete {ONESTOP}/db: would delete data (db 200 GB)"]
    with_was = replace(without, components=(*BASE.components[:2], replace(database, was=(f"{ONESTOP}/db",))))
    assert losses(with_was, portal)[0].startswith("move vn83-portal/db: would move data (db 200 GB)")


def test_a_level_above_2_needs_a_storage_class_of_its_own() -> None:
    level_2, level_4 = (with_system(BASE, hosted_system(level=level)) for level in (2, 4))
    assert losses(level_4) == []
    assert [str(one) for one in changes(level_4)] == [f"change {ONESTOP}: labels, roles and dashboards: level 3 → 4"]
    (loss,) = losses(BASE, level_2)
    assert loss.startswith(f"move {ONESTOP}/db: storage class the cluster's → its own: a volume cannot change it")


def test_another_owner_changes_labels_and_no_name() -> None:
    edited = with_system(BASE, hosted_system(owner="vn86-ubnd"))
    assert [str(one) for one in changes(edited)] == [
        f"change {ONESTOP}: labels, roles and dashboards: owner vn83-ubnd → vn86-ubnd"
    ]


def test_another_site_moves_the_data() -> None:
    assert [one.partition(": ")[0] for one in losses(with_system(BASE, hosted_system(site="backup")))] == [
        f"move {ONESTOP}/db"
    ]


def test_a_level_that_no_shared_cloud_may_host_deletes_everything() -> None:
    assert losses(with_system(BASE, hosted_system(level=5))) == [f"delete {ONESTOP}/db: would delete data (db 200 GB)"]


def test_a_lock_with_a_lost_line_moves_the_data() -> None:
    assert [one.partition(": ")[0] for one in losses(replace(BASE, lock=BASE.lock[:2]))] == [f"move {ONESTOP}/db"]


def test_a_removed_flow_closes_its_connection_only() -> None:
    assert [str(one) for one in changes(replace(BASE, flows=BASE.flows[:2]))] == [
        f"delete {ONESTOP}/app: connection {ONESTOP}/app → {ONESTOP}/db 5432/TCP"
    ]


def test_a_record_is_an_output_that_can_be_read_again() -> None:
    record = record_plan(plan_of(BASE))
    assert decode_cloud_record(encode_cloud_record(record)) == record
    assert decode_cloud_record("") is None
    assert decode_cloud_record("x") is None
    assert decode_cloud_record(encode_cloud_record(record)[:-8]) is None


@sized(40, 500)
@given(declarations(), st.data())
def test_removed_components_with_data_are_always_named(declaration: CloudDeclaration, data: st.DataObject) -> None:
    old = replace(declaration, lock=extended_lock(declaration))
    gone = set(data.draw(st.lists(st.sampled_from([one.path for one in old.components]))))
    edited = replace(old, components=tuple(one for one in old.components if one.path not in gone))
    lost = {one.where for one in changes(edited, old) if one.loses_data}
    assert lost == {one.path for one in old.components if one.path in gone and one.disk_gb}


@sized(40, 500)
@given(declarations())
def test_an_added_system_loses_nothing(declaration: CloudDeclaration) -> None:
    old = replace(declaration, lock=extended_lock(declaration))
    added = with_system(old, hosted_system("vn83-added"))
    grown = replace(added, components=(*old.components, *base_components("vn83-added")))
    grown = replace(grown, lock=extended_lock(grown))
    assert {one.kind for one in changes(grown, old)} == {"create"}
    assert {one.where.partition("/")[0] for one in changes(grown, old)} == {"vn83-added"}
