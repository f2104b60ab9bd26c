"""One system more in the files of the sample is all that probes, objectives, dashboards, dossier and page need."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest

from dashboards.files import generated_files
from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from infra.policy.cloud.dossier import build_dossier
from infra.policy.cloud.report_tables import render_markdown
from motcua.cli.cloud_lock import lock
from telemetry.core.slo.evaluation import scoped_objectives
from telemetry.inventory import default_path, load, render_agent
from tests.program.network import network
from tests.program.test_pages import page

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

ADDED, NAME_VI, NAME_EN = "vn83-archive", "Kho lưu trữ số", "Digital archive"
SYSTEM = f"""
[[system]]
id = "{ADDED}"
name_vi = "{NAME_VI}"
name_en = "{NAME_EN}"
kind = "platform"
owner_agency = "Văn phòng UBND tỉnh"
probe = "http"
target = "https://archive.example/"

[system.hosted]
owner = "vn83-vpubnd"
operator = "vn83-ttcntt"
security = "vn83-catinh"
serves = "public"
data = "sensitive"
subjects = 300000
procedures = true
level = 3
level_decision = {{ number = "99/QĐ-UBND (mẫu)", date = 2026-09-21 }}
rpo_s = 3600
rto_s = 14400
site = "ben-tre"
exposure = "internet"
host = "archive.example"
log_events_per_s = 10
"""
COMPONENTS = f"""\
{ADDED},web,web,dmz,S,2,2,,8080,/healthz,archive-web,
{ADDED},db,database,database,S,3,3,50,5432,,postgresql,
{ADDED},app,app,server,S,2,2,,8081,/healthz,archive-app,
"""
FLOWS = f"""\
outside:internet,{ADDED}/web,8080,people read archived papers
{ADDED}/web,{ADDED}/app,8081,requests of the pages
{ADDED}/app,{ADDED}/db,5432,archived papers
"""
PARTS = tuple(f"{ADDED}--{part}" for part in ("app", "db", "web"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """Return the sample with one system more: appended to three files, and names reserved by `motcua cloud lock`."""
    folder = tmp_path_factory.mktemp("added") / "inventory"
    shutil.copytree(default_path(), folder)
    for name, text in (("systems.toml", SYSTEM), ("components.csv", COMPONENTS), ("flows.csv", FLOWS)):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)
    lock(folder)
    return load(folder)


def test_agents_probe_it_inside_and_outside_and_try_the_closed_path(world: Inventory) -> None:
    inside, dmz = render_agent(world, "vn83-cloud-manage1"), render_agent(world, "vn83-cloud-dmz1")
    assert all(f'"{part}"' in inside for part in PARTS)
    assert f"db-rw.{ADDED}-database.svc:5432" in inside
    assert f'"{ADDED}--dmz-to-db"' in dmz
    assert "https://archive.example/" in render_agent(world, world.systems[ADDED].vantage[0])


def test_it_has_the_objective_of_its_level_and_that_of_closed_paths(world: Inventory) -> None:
    own = {(o.objective.id, o.entity) for o in scoped_objectives(world) if o.entity.startswith(ADDED)}
    level = {("hosted-level-3", entity) for entity in (ADDED, *PARTS)}
    assert own >= level | {("closed-paths", f"{ADDED}--dmz-to-db")}


def test_the_dashboard_has_it(world: Inventory) -> None:
    assert NAME_EN in generated_files(world)["grafana/hosted.json"]


def test_the_dossier_and_the_page_name_it(world: Inventory, tmp_path: Path) -> None:
    plan = build_cloud_plan(world.cloud, province=world.province, stage="prod", today=date(2026, 11, 23))
    system = next(one for one in plan.systems if one.id == ADDED)
    text = render_markdown(build_dossier(plan, system, NAME_VI, check_cloud_plan(plan)))
    assert NAME_VI in text
    assert "99/QĐ-UBND (mẫu)" in text
    net = network(tmp_path, world)
    html = page(net, f"/systems/{ADDED}?lang=en")
    net.store.close()
    assert NAME_EN in html
    assert [f'href="/systems/{part}"' in html for part in PARTS] == [True] * len(PARTS)
