"""What watches the cluster: files that Prometheus, Alertmanager and Grafana take, and what scales by them."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from infra.targets.kubernetes.workloads import LAG_METRIC
from telemetry.ingest.stats import IngestStats
from tests.kubernetes import Stack, container, stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def one() -> Stack:
    return stack()


def run(*words: str) -> str:
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def test_prometheus_takes_its_files(one: Stack, require: Callable[[str], str], tmp_path: Path) -> None:
    rules = one.one("ConfigMap", "prometheus-rules")["data"]
    assert rules
    for name, text in rules.items():
        (tmp_path / name).write_text(text)
    config = one.one("ConfigMap", "prometheus-config")["data"]["prometheus.yml"]
    (tmp_path / "prometheus.yml").write_text(config.replace("/etc/prometheus/rules", str(tmp_path)))
    assert "SUCCESS" in run(require("promtool"), "check", "config", str(tmp_path / "prometheus.yml"))
    assert "SUCCESS" in run(require("promtool"), "check", "rules", *(str(tmp_path / name) for name in rules))


def test_alertmanager_takes_its_file(one: Stack, require: Callable[[str], str], tmp_path: Path) -> None:
    text = one.one("ConfigMap", "alertmanager-config")["data"]["alertmanager.yml"]
    # Debian's amtool 0.25 does not know url_file, which Alertmanager has since 0.26.
    known, places = re.subn(r'url_file: "?/secrets/webhook"?', "url: http://127.0.0.1/", text)
    assert places
    (tmp_path / "alertmanager.yml").write_text(known)
    assert "SUCCESS" in run(require("amtool"), "check-config", str(tmp_path / "alertmanager.yml"))


def test_what_prometheus_asks_is_there(one: Stack) -> None:
    jobs = yaml.safe_load(one.one("ConfigMap", "prometheus-config")["data"]["prometheus.yml"])["scrape_configs"]
    assert {job["job_name"] for job in jobs} == {job.name for job in one.plan.scrape_jobs}
    for job in jobs:
        for found in job.get("dns_sd_configs", ()):
            (name,) = found["names"]
            service = one.one("Service", name)["spec"]
            assert service["clusterIP"] == "None"
            assert found["port"] in {port["port"] for port in service["ports"]}
        # Labels of ours must not be those of the figures, which would be renamed.
        added = {relabelled["target_label"] for relabelled in job.get("relabel_configs", ())}
        assert not added & {"centre", "service", "device_type", "state", "system"}
        for static in job.get("static_configs", ()):
            for target in static["targets"]:
                host, _, port = target.partition(":")
                ports = one.one("Service", "prometheus" if host == "localhost" else host)["spec"]["ports"]
                assert int(port) in {listed["port"] for listed in ports}


def test_ingest_scales_by_a_figure_that_it_shows_and_the_adapters_rule_names(one: Stack) -> None:
    from telemetry.ingest.metrics_server import build_registry

    shown = {family.name for family in build_registry(IngestStats(), lambda: 0).collect()}
    metric, processor = one.one("HorizontalPodAutoscaler", "ingest")["spec"]["metrics"]
    assert metric["object"]["metric"]["name"] == LAG_METRIC
    assert LAG_METRIC in shown
    assert metric["object"]["describedObject"]["name"] in one.names("Service")
    assert processor["resource"]["name"] == "cpu"
    (rule,) = yaml.safe_load(one.one("ConfigMap", "prometheus-adapter-rule")["data"]["rule.yaml"])["rules"]
    jobs = yaml.safe_load(one.one("ConfigMap", "prometheus-config")["data"]["prometheus.yml"])["scrape_configs"]
    job = next(job for job in jobs if job["job_name"] == "motcua-ingest")
    added = {relabelled["target_label"]: relabelled["replacement"] for relabelled in job["relabel_configs"]}
    assert set(rule["resources"]["overrides"]) == set(added)
    assert rule["seriesQuery"].startswith(LAG_METRIC + "{")
    assert added == {"kubernetes_namespace": one.options.kubernetes.namespace, "kubernetes_service": "ingest"}


def test_grafana_shows_the_shipped_dashboards_from_our_prometheus(one: Stack) -> None:
    (volume,) = (
        v for v in one.one("Deployment", "grafana")["spec"]["template"]["spec"]["volumes"] if v["name"] == "boards"
    )
    maps = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    boards = {name: text for each in maps for name, text in one.one("ConfigMap", each)["data"].items()}
    rendered = {path.removeprefix("grafana/") for path in one.plan.files if path.startswith("grafana/")}
    assert set(boards) == rendered - {"stored.json"}
    assert all(json.loads(text)["panels"] for text in boards.values())
    (source,) = yaml.safe_load(one.one("ConfigMap", "grafana-sources")["data"]["prometheus.yaml"])["datasources"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert int(port) in {listed["port"] for listed in one.one("Service", host)["spec"]["ports"]}
    (provider,) = yaml.safe_load(one.one("ConfigMap", "grafana-providers")["data"]["files.yaml"])["providers"]
    paths = {
        mount["mountPath"] for mount in container(one.one("Deployment", "grafana")["spec"]["template"])["volumeMounts"]
    }
    assert provider["options"]["path"] in paths


def test_the_backup_keeps_the_last_ones_and_needs_no_right_but_the_tokens(one: Stack, tmp_path: Path) -> None:
    """The script runs, with an `influx` that only makes its folder."""
    inside = container(one.one("CronJob", "backup")["spec"]["jobTemplate"]["spec"]["template"])
    influx = tmp_path / "bin/influx"
    influx.parent.mkdir()
    influx.write_text('#!/bin/sh\n[ "$1" = backup ] && mkdir -p "$2" && echo data >"$2/data"\n')
    influx.chmod(0o755)
    kept = tmp_path / "backup"
    for number in range(20):
        (kept / f"20260101T0000{number:02}Z").mkdir(parents=True)
    (kept / "20260102T000000Z.part").mkdir()
    script = inside["command"][2].replace("/backup/", f"{kept}/")
    path = f"{influx.parent}:/usr/bin:/bin"
    subprocess.run(["/bin/sh", "-c", script], check=True, env={"PATH": path})
    found = sorted(item.name for item in kept.iterdir())
    assert len(found) == 14
    assert (kept / found[-1] / "data").read_text() == "data\n"
    assert found[0] == "20260101T000007Z"
