"""An objective and an indicator that a copy of the inventory adds are everywhere, without a change of the program.

On the page, in the API, in Prometheus' metrics, in the dashboards and in the rules of what a stack deploys.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from infra.host.bundle import render_bundle
from infra.host.systemd_units import HostLayout
from telemetry import inventory
from telemetry.core.calendar.windows import DAY
from telemetry.core.fold.live_row_types import BurnRateNow, ScopedSloNow, SloNow
from tests.dashboard_panels import panels_of
from tests.program.network import MIDNIGHT, NOW, Network, network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry.core.inventory import Inventory

CENTRE = "vn83-83"
OBJECTIVE = f"""
[[objective]]
id = "hall-calls-in-time"
name_vi = "Được gọi trong vòng 10 phút"
name_en = "Called within 10 minutes"
scope = "centre:{CENTRE}"
sli = "wait"
threshold_s = 600
goal = 0.9
days = 28
"""
INDICATOR = """
[[indicator]]
id = "BT-01"
name_vi = "Hồ sơ nộp qua bưu chính công ích"
name_en = "Dossiers by public post"
strand = "procedures"
owner = "Sở Nội vụ"
numerator = ["received_post"]
denominator = ["received_post", "received_direct"]

[[target]]
id = "BT-01"
name_vi = "Bưu chính"
name_en = "Post"
value = 0.5
unit = "ratio"
by = 2026-12-31
"""
RULES = "server/etc/prometheus/rules/objectives.yaml"


@dataclass(frozen=True)
class Deployment:
    """The declared inventory, an API over it with measured values, and the rendered bundle of its server."""

    declared: Inventory
    net: Network
    bundle: Mapping[str, str]

    def board(self, name: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.bundle[f"grafana/dashboards/{name}.json"])
        return read

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in yaml.safe_load(self.bundle[RULES])["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("added")
    shutil.copytree(inventory.default_path(), folder / "inventory")
    for name, text in (("objectives.toml", OBJECTIVE), ("targets.toml", INDICATOR)):
        with (folder / "inventory" / name).open("a", encoding="utf-8") as file:
            file.write(text)
    declared = inventory.load(folder / "inventory")
    net = network(folder, declared)
    net.total(f"administration:{CENTRE}:province", "1d", MIDNIGHT - DAY, {"received_post": 2, "received_direct": 6})
    burning = BurnRateNow(rule="page-fast", severity="page", long_ms=3_600_000, short_ms=300_000, threshold=2.5,
                          long=3.0, short=4.0, fired=NOW)  # fmt: skip
    place = ScopedSloNow(scope=f"centre:{CENTRE}", start=NOW - 28 * DAY, end=NOW, good=70, bad=30, standing="exhausted",
                         readings=(burning,))  # fmt: skip
    row = SloNow(slo="hall-calls-in-time", at=NOW, settled_until=NOW - 7 * DAY, scopes=(place,))
    net.store.put_live_rows({"slo:hall-calls-in-time": msgspec.json.encode(row)})
    net.time[0] += 1000
    yield Deployment(declared, net, render_bundle(declared, HostLayout()))
    net.store.close()


def test_the_indicator_is_on_the_page_in_the_api_and_in_metrics(deployed: Deployment) -> None:
    client = deployed.net.client
    (row,) = (r for r in client.get("/api/v1/kpis", params={"limit": 500}).json()["data"] if r["id"] == "BT-01")
    assert (row["numerator"], row["denominator"], row["value"]) == (2, 8, 0.25)
    text = client.get("/metrics/kpis").text
    for name, value in (("value", "0.25"), ("path_value", "0.5"), ("target", "0.5"), ("on_track", "0.0")):
        assert f'motcua_kpi_{name}{{kpi="BT-01",level="all"}} {value}' in text
    page = client.get("/kpis", headers={"accept-language": "vi"}).text
    assert "2 / 8" in page[page.index('<tr id="BT-01"') :].split("</tr>")[0].replace("\xa0", " ")


def test_the_objective_is_on_the_page_in_the_api_and_in_metrics(deployed: Deployment) -> None:
    client = deployed.net.client
    answer = client.get("/api/v1/slos/hall-calls-in-time/status", params={"scope": f"centre:{CENTRE}"}).json()["data"]
    assert (answer["target"], answer["sli"]["value"], answer["status"]) == (0.9, 0.7, "exhausted")
    assert [(burn["rule"], burn["long"], burn["firing"]) for burn in answer["burn"]] == [("page-fast", 3.0, True)]
    text = client.get("/metrics").text
    assert 'motcua_slo_objective_ratio{slo="hall-calls-in-time"} 0.9' in text
    assert 'motcua_slo_burn_rate_max{rule="page-fast",slo="hall-calls-in-time",window="1h"} 3.0' in text
    assert f'rule="page-fast",scope="centre:{CENTRE}",severity="page",slo="hall-calls-in-time"}} 1.0' in text
    for language, name in (("vi", "Được gọi trong vòng 10 phút"), ("en", "Called within 10 minutes")):
        page = client.get("/objectives", headers={"accept-language": language})
        assert (page.status_code, name in page.text) == (200, True)


def test_both_are_on_the_dashboards_that_are_deployed(deployed: Deployment) -> None:
    board = deployed.board("objectives")
    (section,) = (row for row in board["panels"] if row["title"] == "Called within 10 minutes")
    queries = [target["expr"] for panel in section["panels"] for target in panel["targets"]]
    assert all('slo="hall-calls-in-time"' in query for query in queries)
    assert len(queries) >= 5
    (panel,) = (p for p in panels_of(deployed.board("indicators")) if p["title"] == "BT-01 Dossiers by public post")
    names = ["motcua_kpi_value", "motcua_kpi_path_value", "motcua_kpi_target"]
    assert [target["expr"] for target in panel["targets"]] == [f'max by (level) ({n}{{kpi="BT-01"}})' for n in names]
    assert panel["fieldConfig"]["defaults"]["unit"] == "percentunit"
    assert "Hồ sơ nộp qua bưu chính công ích" in panel["description"]


def test_both_have_rules_that_are_deployed(deployed: Deployment) -> None:
    about = [rule for rule in deployed.rules() if "alert" in rule and "hall-calls-in-time" in rule["expr"]]
    assert [(rule["alert"], rule["labels"]["severity"]) for rule in about] == [
        ("MotcuaObjectiveDiffers", "warning"),
        ("MotcuaBudgetSpent", "warning"),
        ("MotcuaObjectiveBurns", "page"),
        ("MotcuaObjectiveBurns", "ticket"),
    ]
    own = [rule["alert"] for rule in deployed.rules() if "alert" in rule and "BT-01" in rule["expr"]]
    assert own == ["MotcuaTargetMissed", "MotcuaIndicatorSilent"]
