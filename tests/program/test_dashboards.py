"""Dashboard and rules: they speak of metrics that there are, fire when they should, and lead to the operators' page."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml
from prometheus_client.parser import text_string_to_metric_families

import dashboards
from dashboards.files import load_provisioned_files
from telemetry.core.fold.live_row_types import FAULT_ROW_PREFIX, FoldFaultNow
from telemetry.ingest import metrics_server
from telemetry.ingest.stats import IngestStats
from tests.program.network import NOW, busy
from tests.program.promises import judged, promising

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
RULES = "rules/motcua.yaml"


def test_what_is_provisioned_is_the_dashboard_and_the_rules_without_their_tests() -> None:
    assert list(load_provisioned_files()) == ["grafana/fleet.json", RULES]


def started(status: str, headers: object, error: object = None, /) -> Callable[[bytes], object]:
    del status, headers, error
    return lambda _: None


def exposed(folder: Path) -> set[str]:
    """Every sample's name that the API and an ingest show, and those that Prometheus makes itself."""
    net = judged(busy(promising(folder)))
    fault = FoldFaultNow(entity="vn83-a", at=NOW, failures=1, since=NOW, part="fold")
    net.store.put_live_rows({f"{FAULT_ROW_PREFIX}vn83-a": msgspec.json.encode(fault)})
    net.store.set_cursor(NOW * 1000)
    pages = [net.client.get("/metrics").text]
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


def test_rules_and_dashboard_speak_of_metrics_that_there_are(tmp_path: Path) -> None:
    rules = [rule for group in yaml.safe_load(load_provisioned_files()[RULES])["groups"] for rule in group["rules"]]
    known = exposed(tmp_path) | {rule["record"] for rule in rules if "record" in rule}
    board = json.loads(load_provisioned_files()["grafana/fleet.json"])
    shown = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    for expression in [rule["expr"] for rule in rules] + shown:
        names = set(NAME.findall(expression))
        assert names <= known, expression
        assert names or expression.startswith("vector("), expression


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
    alerts = [
        rule
        for group in yaml.safe_load(load_provisioned_files()[RULES])["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(alerts) > 10
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert (ROOT / alert["annotations"]["runbook"]).is_file(), alert["alert"]
        assert alert["for"]


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board = json.loads(load_provisioned_files()["grafana/fleet.json"])
    assert (board["uid"], board["schemaVersion"] >= 36) == ("motcua-fleet", True)
    idents = [panel["id"] for panel in board["panels"]]
    assert len(idents) == len(set(idents))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    assert [one["type"] for one in board["templating"]["list"]] == ["datasource", "query", "textbox"]
