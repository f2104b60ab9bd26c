"""Builds Prometheus' and Alertmanager's configuration from the plan. It must not invent addresses or hold secrets.

For Prometheus 2.42 and Alertmanager 0.25 (Debian 12) and later. Passwords and webhook addresses (anyone who has
one can post to it) are in files that only Alertmanager reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.host.systemd_units import UNITS_FOLDER, metrics_port
from infra.templates import render_template, render_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.values import StackPlan

RULES_FOLDER = "/etc/prometheus/rules"
PROMETHEUS_CONFIG, ALERTMANAGER_CONFIG = "/etc/prometheus/motcua.yml", "/etc/prometheus/motcua-alertmanager.yml"
"""Separate files: those of the packages stay unchanged."""
OPS_RECEIVER = "ops"
CENTRES_RECEIVER = "centres"
SILENT_RECEIVER = "nobody"
"""Receives what is not for people: MotcuaClosed and MotcuaWatchdog."""
WATCHDOG_RECEIVER = "watchdog"

_PROMETHEUS_COMMAND = (
    f"/usr/bin/prometheus --config.file={PROMETHEUS_CONFIG} --web.listen-address=127.0.0.1:9090 "
    "--storage.tsdb.path=/var/lib/prometheus/metrics2/ --storage.tsdb.retention.time=90d "
    "--storage.tsdb.retention.size=8GB"
)
_ALERTMANAGER_COMMAND = (
    f"/usr/bin/prometheus-alertmanager --config.file={ALERTMANAGER_CONFIG} --web.listen-address=127.0.0.1:9093 "
    "--cluster.listen-address= --storage.path=/var/lib/prometheus/alertmanager/"
)


@dataclass(frozen=True, slots=True)
class AlertReceiver:
    """Who receives alerts: a mail address by a server, or a webhook whose URL is in a file (since Alertmanager 0.26).

    The default is mail to this machine's root by its own mail server, which needs no password.
    """

    email: str = "root@localhost"
    smarthost: str = "localhost:25"
    sender: str = "motcua@localhost"
    username: str = ""
    password_file: str = ""
    webhook_file: str = ""
    watchdog_file: str = ""
    """File with the URL of an external watchdog, which raises an alarm when MotcuaWatchdog no longer arrives."""


@dataclass(frozen=True, slots=True)
class PrometheusPaths:
    """Rule files (a path with *) and Alertmanagers (`host:port`), as Prometheus reaches them.

    `alertmanager_encryption` are keys of Prometheus' configuration, empty for plain HTTP.
    """

    rules: str = f"{RULES_FOLDER}/*.yaml"
    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)
    alertmanager_encryption: Mapping[str, object] = field(default_factory=dict)


def prometheus_configuration(
    plan: StackPlan, discovery: Mapping[str, Mapping[str, object]], paths: PrometheusPaths | None = None
) -> dict[str, object]:
    """Return prometheus.yml as a mapping; `discovery` gives each job its targets, a job without any is left out.

    Its values are keys of a scrape configuration, as `{"static_configs": [{"targets": ["host:port"]}]}`.
    """
    effective_paths = paths or PrometheusPaths()
    jobs = [
        {
            "job_name": scrape.name,
            "metrics_path": scrape.path,
            "scrape_interval": f"{scrape.interval_s}s",
            "scrape_timeout": f"{min(10, scrape.interval_s)}s",
            **discovery[scrape.name],
        }
        for scrape in plan.scrape_jobs
        if discovery.get(scrape.name)
    ]
    return {
        "global": {
            "scrape_interval": "30s",
            "evaluation_interval": "30s",
            "external_labels": {"province": plan.province, "stage": plan.stage},
        },
        "rule_files": [effective_paths.rules],
        "alerting": {
            "alertmanagers": [
                {
                    **effective_paths.alertmanager_encryption,
                    "static_configs": [{"targets": list(effective_paths.alertmanagers)}],
                }
            ]
        },
        "scrape_configs": jobs,
    }


def alertmanager_configuration(plan: StackPlan, receiver: AlertReceiver | None = None) -> dict[str, object]:
    """Return alertmanager.yml as a mapping: one message per centre, none about what follows from another alert."""
    effective_receiver = receiver or AlertReceiver()
    receiver_config = _receiver_config(effective_receiver)
    receivers: list[dict[str, object]] = [
        {"name": OPS_RECEIVER, **receiver_config},
        {"name": CENTRES_RECEIVER, **receiver_config},
        {"name": SILENT_RECEIVER},
    ]
    routes: list[dict[str, object]] = [
        {"matchers": ['alertname=~"MotcuaClosed|MotcuaWatchdog"'], "receiver": SILENT_RECEIVER},
        {
            # Burn-rate alerts: one message per place and cause, after a short wait.
            "matchers": ['severity=~"page|ticket"', 'scope=~".+"'],
            "receiver": CENTRES_RECEIVER,
            "group_by": ["province", "centre", "cause"],
            "group_wait": "15s",
            "group_interval": "1m",
        },
        {
            # Targets of years: one message a week about all of them.
            "matchers": ['alertname=~"MotcuaTargetMissed|MotcuaIndicatorSilent"'],
            "receiver": OPS_RECEIVER,
            "group_by": ["alertname", "province"],
            "group_wait": "5m",
            "group_interval": "24h",
            "repeat_interval": "168h",
        },
        {
            "matchers": ['centre=~".+"'], "receiver": CENTRES_RECEIVER, "group_by": ["centre"], "group_wait": "1m",
        },
    ]  # fmt: skip
    if effective_receiver.watchdog_file:
        # An external watchdog gets one message a minute while all of this works.
        webhooks = [{"url_file": effective_receiver.watchdog_file, "send_resolved": False}]
        receivers.append({"name": WATCHDOG_RECEIVER, "webhook_configs": webhooks})
        times = {"group_wait": "0s", "group_interval": "30s", "repeat_interval": "1m"}
        routes.insert(0, {"matchers": ["alertname=MotcuaWatchdog"], "receiver": WATCHDOG_RECEIVER, **times})
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": OPS_RECEIVER,
            "group_by": ["alertname", "province"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "4h" if plan.stage == "prod" else "24h",
            "routes": routes,
        },
        "inhibit_rules": inhibition_rules(),
        "receivers": receivers,
    }


def _receiver_config(receiver: AlertReceiver) -> dict[str, object]:
    if receiver.webhook_file:
        return {"webhook_configs": [{"url_file": receiver.webhook_file, "send_resolved": True, "max_alerts": 100}]}
    mail = {"to": receiver.email, "from": receiver.sender, "smarthost": receiver.smarthost, "send_resolved": True}
    if not receiver.password_file:
        return {"email_configs": [{**mail, "require_tls": not receiver.smarthost.startswith("localhost:")}]}
    login = {"auth_username": receiver.username, "auth_password_file": receiver.password_file}
    return {"email_configs": [{**mail, **login}]}


def inhibition_rules() -> list[dict[str, object]]:
    """Return which alerts inhibit which others: a cause its effects, a centre its devices."""
    blind = 'alertname=~"MotcuaApiMissing|MotcuaApiNotReady|MotcuaRollupBehind|MotcuaRollupMissing"'
    stopped = 'alertname=~"MotcuaIngestMissing|MotcuaIngestNotConnected|MotcuaIngestNotReady"'
    states = 'alertname=~"MotcuaCentreDown|MotcuaCentreUnknown|MotcuaDevicesDown"'
    rules = [
        # Rollup itself posts burn-rate alerts: a dead API must not inhibit them.
        ([blind], ['centre=~".+"', 'severity=~"critical|warning"'], ["province"]),
        ([stopped], ['alertname=~"MotcuaCentreUnknown|MotcuaCompletenessFalls|MotcuaIngestLag"'], ["province"]),
        (['alertname=~"MotcuaCentreDown|MotcuaCentreUnknown"'], ["alertname=MotcuaDevicesDown"], ["centre"]),
        # An alert is not repeated while its place is closed.
        (["alertname=MotcuaClosed"], ['severity=~"page|ticket"'], ["objective", "scope", "centre"]),
        # Prometheus' own way to page is for alerts that rollup cannot deliver.
        (
            ['alertname=~"Motcua(Availability|Connectivity|Latency|Wait)"'],
            ["alertname=MotcuaObjectiveBurns"],
            ["objective", "scope"],
        ),
        # When an objective has paged, the rules that look at the state alone do not notify again.
        (
            ["severity=page", 'alertname=~"MotcuaConnectivity|MotcuaAvailability"', 'scope=~"centre:.+"'],
            [states],
            ["centre"],
        ),
        (["severity=page", 'scope=~"province:.+"'], [states], ["province"]),
    ]
    return [
        {"source_matchers": sources, "target_matchers": targets, "equal": labels} for sources, targets, labels in rules
    ]


def host_monitoring_files(plan: StackPlan, workers: Sequence[str]) -> dict[str, str]:
    """Return {path: text} for one machine: both configurations, the plan's rules, drop-ins for Debian's units."""
    ports = {scrape.name: [scrape.port] for scrape in plan.scrape_jobs}
    ports["motcua-ingest"] = [metrics_port(name) for name in workers]
    targets = {
        name: {"static_configs": [{"targets": [f"127.0.0.1:{port}" for port in many]}]} for name, many in ports.items()
    }
    rules = {path: text for path, text in plan.files.items() if path.startswith("rules/")}
    return {
        PROMETHEUS_CONFIG.lstrip("/"): render_yaml(prometheus_configuration(plan, targets)),
        ALERTMANAGER_CONFIG.lstrip("/"): render_yaml(alertmanager_configuration(plan)),
        **{f"{RULES_FOLDER.lstrip('/')}/{path.removeprefix('rules/')}": text for path, text in rules.items()},
        f"{UNITS_FOLDER}/prometheus.service.d/motcua.conf": render_template(
            "prometheus.service.d.conf.j2", command=_PROMETHEUS_COMMAND, memory="1G"
        ),
        f"{UNITS_FOLDER}/prometheus-alertmanager.service.d/motcua.conf": render_template(
            "prometheus.service.d.conf.j2", command=_ALERTMANAGER_COMMAND, memory="256M"
        ),
    }
