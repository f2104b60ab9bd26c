"""Dashboards and rules: they speak of metrics that there are, fire when they should, lead to the operators' page."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import dashboards
from dashboards.files import provisioned_files
from telemetry import inventory as sample_inventory
from telemetry.core.calendar.windows import DAY
from telemetry.core.fold.live_row_types import FAULT_ROW_PREFIX, FoldFaultNow, SystemNow, VantageNow
from telemetry.ingest import metrics_server
from telemetry.ingest.stats import IngestStats
from tests.dashboard_panels import panels_of, targets_of
from tests.hosted_network import hosting, observe
from tests.program.network import MIDNIGHT, NOW, busy, waits
from tests.program.promises import judged, promised, promising

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
FILES = provisioned_files(sample_inventory.load(sample_inventory.default_path()))
BOARDS = {path: json.loads(text) for path, text in FILES.items() if path.startswith("grafana/")}
RULES = [
    rule
    for path, text in FILES.items()
    if path.startswith("rules/")
    for group in yaml.safe_load(text)["groups"]
    for rule in group["rules"]
]


def test_what_is_provisioned_is_the_dashboards_and_the_rules_without_their_tests() -> None:
    assert set(FILES) == {
        *(
            f"grafana/{name}.json"
            for name in ("broker", "fleet", "hosted", "indicators", "influxdb", "ingest", "objectives", "stored")
        ),
        "rules/motcua.yaml",
        "rules/objectives.yaml",
    }


def started(status: str, headers: object, error: object = None, /) -> Callable[[bytes], object]:
    del status, headers, error
    return lambda _: None


def exposed(folder: Path) -> set[str]:
    """Every sample's name that the API and an ingest show, and those that Prometheus makes itself."""
    net = judged(busy(promising(folder, hosting(promised()))))
    observe(net)
    fault = FoldFaultNow(entity="vn83-a", at=NOW, failures=1, since=NOW, part="fold")
    net.store.put_live_rows({f"{FAULT_ROW_PREFIX}vn83-a": msgspec.json.encode(fault)})
    net.store.set_cursor(NOW * 1000)
    seen = (VantageNow(device="vn83-a-gateway1", state="up", at=NOW, tls_days=40.0),)
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="up", vantage=seen))
    net.total("desk:vn83-a:land", "1d", MIDNIGHT - DAY, waits(60, 120))
    pages = [net.client.get("/metrics").text, net.client.get("/metrics/kpis").text]
    net.store.close()
    figures = IngestStats()
    figures.refused_by_reason["malformed"] += 1
    app = metrics_server.build_application(figures, lambda: 0)
    environ = {"PATH_INFO": "/metrics", "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    pages.append(b"".join(app(environ, started)).decode())
    names = {
        sample.name for page in pages for family in text_string_to_metric_families(page) for sample in family.samples
    }
    return names | {"up", "ALERTS"}


NAME = re.compile(r"\b((?:[a-z]+:)*motcua_[a-z0-9_]+(?::[a-z0-9]+)?|motcua:[a-z0-9_]+:[a-z0-9]+|up\b(?=\{))")


def test_rules_and_dashboards_speak_of_metrics_that_there_are(tmp_path: Path) -> None:
    known = exposed(tmp_path) | {rule["record"] for rule in RULES if "record" in rule}
    shown = [target.query for target in targets_of(FILES, "expr")]
    assert len(shown) > 100
    for expression in [rule["expr"] for rule in RULES] + shown:
        assert set(NAME.findall(expression)) <= known, expression


def test_rules_fire_when_they_should(require: Callable[[str], str]) -> None:
    folder = f"{dashboards.__path__[0]}/rules"
    words = [require("promtool"), "test", "rules", f"{folder}/tests/motcua.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_scrape_job_of_the_page_asks_for_one_centre(require: Callable[[str], str], tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- tested: scrape -->\n```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    config = tmp_path / "prometheus.yml"
    config.write_text(found[1])
    done = subprocess.run(
        [require("promtool"), "check", "config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (job,) = yaml.safe_load(found[1])["scrape_configs"]
    assert not job["job_name"].startswith("motcua-")
    asked = {one["target_label"] for one in job["relabel_configs"]}
    (parameter,) = (label.removeprefix("__param_") for label in asked if label.startswith("__param_"))
    net = busy(promising(tmp_path))
    answer = net.client.get(job["metrics_path"], params={parameter: "vn83-a"})
    net.store.close()
    assert (answer.status_code, "motcua_service_waiting_tickets" in answer.text) == (200, True)


def test_every_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    assert len(alerts) > 10
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning", "page", "ticket"}
        assert (ROOT / alert["annotations"]["runbook"]).is_file(), alert["alert"]
        assert alert["for"]


@pytest.mark.parametrize("path", BOARDS)
def test_a_dashboard_is_one_that_grafana_reads(path: str) -> None:
    board = BOARDS[path]
    assert (board["uid"], board["schemaVersion"]) == (f"motcua-{Path(path).stem}", 39)
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    panels = list(panels_of(board))
    idents = [panel["id"] for panel in (*rows, *panels)]
    assert len(idents) == len(set(idents))
    variables = [f"${{{one['name']}}}" for one in board["templating"]["list"] if one["type"] == "datasource"]
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["datasource"]["uid"] in variables
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    assert not [row["title"] for row in rows if row["collapsed"] != bool(row["panels"])]


@pytest.mark.parametrize("path", BOARDS)
def test_no_two_panels_of_a_dashboard_overlap(path: str) -> None:
    rows = [panel["panels"] for panel in BOARDS[path]["panels"] if panel["type"] == "row"]
    opened = [panel for panel in BOARDS[path]["panels"] if panel["type"] != "row"]
    for panels in (*rows, opened):
        cells = [
            (x, y)
            for panel in panels
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(cells) == len(set(cells))
