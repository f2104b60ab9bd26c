"""What the cluster does on a bad day: pods that are not ready, a lag that stands still, full volumes, late renewals."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.targets.kubernetes.kustomize import kustomize_files
from infra.targets.kubernetes.manifests import check_cluster_options
from infra.targets.kubernetes.monitoring import adapter_rule, expiry_rule_files
from infra.targets.kubernetes.objects import ClusterSpec
from telemetry.errors import ConfigError
from tests.kubernetes import Stack, container, options, sample_files, stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIGEST = "sha256:" + "a" * 64
GOOD = {"mosquitto": DIGEST, "motcua-server": DIGEST}


@pytest.fixture(scope="module")
def one() -> Stack:
    return stack()


def promtool(program: str, folder: Path, test: dict[str, Any]) -> None:
    (folder / "test.yaml").write_text(yaml.safe_dump(test))
    told = subprocess.run(
        (program, "test", "rules", str(folder / "test.yaml")), capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("name", ["ingest-pods", "api-pods"])
def test_a_pod_that_is_not_ready_is_still_asked(one: Stack, name: str) -> None:
    """Its own figures are the only ones that say why; without them no alert on readiness could ever fire."""
    assert one.one("Service", name)["spec"]["publishNotReadyAddresses"] is True


def lag_query(one: Stack) -> str:
    (rule,) = yaml.safe_load(adapter_rule(ClusterSpec(one.plan, one.options))["data"]["rule.yaml"])["rules"]
    query: str = rule["metricsQuery"]
    matchers = 'kubernetes_namespace="motcua",kubernetes_service="ingest"'
    for place, text in {"<<.Series>>": "motcua_ingest_lag_seconds", "<<.LabelMatchers>>": matchers,
                        "<<.GroupBy>>": "kubernetes_service"}.items():  # fmt: skip
        query = query.replace(place, text)
    return query


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([("100x20", "0+500x20")], 100),
        ([("100x20", "0+500x20"), ("40x20", "0+500x20")], 70),
        # A device that was away for a day writes once, then nothing is written: no other worker is called.
        ([("1 1 1 1 1 1 86400x14", "0+10x6 70x14")], 0),
        # Its rows come between those of devices that are on time.
        ([("1 86400 1 86400 1 86400 1 86400 1 86400 1 86400 1 86400 1 86400 1 86400 1 86400 1", "0+10x20")], 1),
    ],
)
def test_the_autoscaler_sees_a_backlog_and_neither_a_still_figure_nor_late_rows(
    one: Stack, require: Callable[[str], str], tmp_path: Path, pods: list[tuple[str, str]], expected: float
) -> None:
    series = []
    for number, (lag, stored) in enumerate(pods):
        labels = f'{{kubernetes_namespace="motcua",kubernetes_service="ingest",instance="p{number}"}}'
        series += [{"series": f"motcua_ingest_lag_seconds{labels}", "values": lag},
                   {"series": f"motcua_ingest_events_stored_total{labels}", "values": stored}]  # fmt: skip
    sample = {"labels": '{kubernetes_service="ingest"}', "value": expected}
    asked = [{"expr": lag_query(one), "eval_time": "5m", "exp_samples": [sample]}]
    test = {"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": asked}]}
    promtool(require("promtool"), tmp_path, test)


@pytest.mark.parametrize(("free", "left"), [(10_000_000, 4), (99, 2)])
def test_a_backup_makes_room_for_itself_and_keeps_the_last_one(
    one: Stack, tmp_path: Path, free: int, left: int
) -> None:
    """With a `df` that tells how much is free, and a `du` by which each backup has 80 kB."""
    script = container(one.one("CronJob", "backup")["spec"]["jobTemplate"]["spec"]["template"])["command"][2]
    tools = {
        "influx": 'mkdir -p "$2"',
        "df": f'echo "Filesystem 1024-blocks Used Available"; echo "/dev/x 900 1 {free} 1% /backup"',
        "du": r'printf "80\t%s\n" "$2"',
    }
    kept = tmp_path / "backup"
    for number in range(3):
        (kept / f"20260101T00000{number}Z").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    for name, text in tools.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    subprocess.run(["/bin/sh", "-c", script.replace("/backup/", f"{kept}/")], check=True, env=path)
    names = sorted(item.name for item in kept.iterdir())
    assert len(names) == left
    assert "20260101T000002Z" in names


def at(day: date) -> int:
    return int(datetime.combine(day, time(12), UTC).timestamp())


def alerts(one: Stack, day: date, program: str, folder: Path, expected: set[tuple[str, str]]) -> None:
    """Check which renewals are said to be due on a day, as (what, severity)."""
    (rules,) = expiry_rule_files(one.plan).values()
    # Unit tests begin in 1970: the clock is put forward instead.
    (folder / "rules.yaml").write_text(rules.replace("time()", f"time() + {at(day)}"))
    told = [
        {"exp_labels": {"what": what, "severity": bad}, "exp_annotations": found(rules, what)} for what, bad in expected
    ]
    test = {"eval_time": "1m", "alertname": "MotcuaRenewalDue", "exp_alerts": told}
    promtool(program, folder, {"rule_files": ["rules.yaml"], "tests": [{"interval": "1m", "alert_rule_test": [test]}]})


def found(rules: str, what: str) -> dict[str, str]:
    (group,) = yaml.safe_load(rules)["groups"]
    return next(rule["annotations"] for rule in group["rules"] if rule["labels"]["what"] == what)


def test_what_ends_is_told_before_it_ends_and_not_while_all_is_well(
    one: Stack, require: Callable[[str], str], tmp_path: Path
) -> None:
    program, pki = require("promtool"), one.plan.pki
    lists = "the revocation list"
    half = pki.crl_from + (pki.crl_until - pki.crl_from) / 2
    alerts(one, half, program, tmp_path, set())
    late = pki.crl_until - (pki.crl_until - half) / 3
    alerts(one, late, program, tmp_path, {(lists, "warning")})
    broker = next(one for one in pki.certificates if one.name == "broker")
    end = {(f"the certificate of {one.name}", bad) for one in pki.certificates for bad in ("warning", "critical")}
    alerts(one, broker.not_after, program, tmp_path, end | {(lists, "warning"), (lists, "critical")})


def test_the_rules_of_renewal_reach_prometheus(one: Stack) -> None:
    assert set(expiry_rule_files(one.plan)) <= set(one.one("ConfigMap", "prometheus-rules")["data"])


def test_objects_are_applied_where_they_may_be_large(one: Stack) -> None:
    """Without it kubectl keeps a second copy in an annotation, which takes 256 kB."""
    page = kustomize_files(one.plan, one.options, sample_files())["SECRETS.md"]
    assert page.count("kubectl apply --server-side -k .") == page.count(" -k .") == 1


@pytest.mark.parametrize(
    ("port", "digests", "faults"),
    [
        (8883, GOOD, []),
        (9100, {}, []),
        (8884, {}, ["broker.port"]),
        (8884, {"mosquito": DIGEST, "grafana": "12.0", "influxdb": f"influxdb@{DIGEST}"},
         ["broker.port", "'mosquito'", "grafana: '12.0'", "influxdb: 'influxdb@"]),
    ],
)  # fmt: skip
def test_options_that_no_cluster_could_run_are_refused_together(
    port: int, digests: dict[str, str], faults: list[str]
) -> None:
    given = options(image_digests=digests)
    wanted = given.model_copy(update={"broker": given.broker.model_copy(update={"port": port})})
    if not faults:
        check_cluster_options(wanted)
        return
    with pytest.raises(ConfigError) as refused:
        check_cluster_options(wanted)
    assert len(refused.value.faults) == len(faults)
    assert all(fault in str(refused.value) for fault in faults)
