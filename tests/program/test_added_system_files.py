"""One system more in the files of the sample is all that probes, objectives, dashboards, dossier and page need."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dashboards.files import generated_files
from infra.host.bundle import render_bundle
from infra.host.systemd_units import HostLayout
from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from infra.policy.cloud.dossier import build_dossier
from infra.policy.cloud.report_tables import render_markdown
from motcua.cli.cloud.lock import lock
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
LEVEL_4 = "hosted-level-4"
LISTED = re.compile(rf"\|{ADDED}(?=\\)|{ADDED}\|")
"""The system's place in the lists of a board's queries."""
PARTS = tuple(f"{ADDED}--{part}" for part in ("app", "db", "web"))


def sample_with(folder: Path, system: str) -> Inventory:
    """Return the sample with one system more: appended to three files, and names reserved by `motcua cloud lock`."""
    shutil.copytree(default_path(), folder)
    for name, text in (("systems.toml", system), ("components.csv", COMPONENTS), ("flows.csv", FLOWS)):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)
    lock(folder)
    return load(folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    return sample_with(tmp_path_factory.mktemp("added") / "inventory", SYSTEM)


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


def bundle_of(world: Inventory) -> dict[str, str]:
    """Return the files of a server and its devices without the version of the inventory, which all name."""
    files = render_bundle(world, HostLayout("/opt/motcua/bin/motcua", ("1",)), "mqtts://mqtt.example:8883")
    return {path: text.replace(world.version, "VERSION") for path, text in files.items()}


def test_of_a_servers_files_only_the_agents_and_the_board_of_hosted_systems_change(world: Inventory) -> None:
    """Prometheus, Alertmanager and Grafana judge objectives, which systems of one level share: no rule is new."""
    before, after = bundle_of(load(default_path())), bundle_of(world)
    assert before.keys() == after.keys()
    changed = {path for path in after if after[path] != before[path]}
    assert {path for path in changed if not path.startswith("devices/")} == {"grafana/dashboards/hosted.json"}
    own = {f"devices/{device}.toml" for device in world.devices if device.startswith("vn83-cloud-")}
    assert {path for path in changed if path.startswith("devices/")} == own | {
        f"devices/{device}.toml" for device in world.systems[ADDED].vantage
    }


def test_the_first_system_of_a_level_adds_the_rule_of_its_objective_and_its_name_to_those_of_all(
    tmp_path: Path,
) -> None:
    first = sample_with(tmp_path / "inventory", SYSTEM.replace("level = 3", "level = 4"))
    before, after = rules_of(load(default_path())), rules_of(first)
    new = [rule for rule in after if rule not in before]
    (added,) = (rule for rule in new if rule.get("labels", {}).get("objective") == LEVEL_4)
    assert f'{{slo="{LEVEL_4}"}} == 0.999' in added["expr"]
    named = [{**rule, "expr": rule["expr"].replace(f"{LEVEL_4}|", "")} for rule in new if rule != added]
    assert len(named) == 3
    assert [rule for rule in after if rule in before] + named == [rule for rule in before if rule not in named] + named
    files, earlier = bundle_of(first), bundle_of(load(default_path()))
    changed = {path for path, text in files.items() if text != earlier[path]}
    assert {path for path in changed if path.startswith("server/etc/prometheus/")} == {
        "server/etc/prometheus/rules/objectives.yaml"
    }


def rules_of(world: Inventory) -> list[dict[str, Any]]:
    """Return every rule of the generated rule file."""
    groups = yaml.safe_load(generated_files(world)["rules/objectives.yaml"])["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_dashboard_has_its_panels_and_the_others_as_they_were_but_for_lists_of_systems(world: Inventory) -> None:
    before, after = panels_of(load(default_path())), panels_of(world)
    own = [panel for panel in after if panel not in before]
    assert NAME_EN in "".join(own)
    assert all(ADDED in panel or NAME_EN in panel for panel in own)
    lists = [panel for panel in own if LISTED.sub("", panel) in before]
    assert sorted([*(panel for panel in after if panel in before), *(LISTED.sub("", panel) for panel in lists)]) == (
        sorted(before)
    )


def panels_of(world: Inventory) -> list[str]:
    """Return the panels of the board of hosted systems, those of rows too, without their places on it."""
    board = json.loads(generated_files(world)["grafana/hosted.json"])
    panels = [inner for panel in board["panels"] for inner in (panel, *panel.get("panels", ()))]
    without = {"gridPos", "id", "panels"}
    return [
        json.dumps({name: value for name, value in panel.items() if name not in without}, sort_keys=True)
        for panel in panels
    ]


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
