"""Writes Prometheus' and Alertmanager's configuration from the plan; no addresses but those given, and no secret.

For Prometheus 2.42 and Alertmanager 0.25 (Debian 12) and later. Passwords and webhook addresses (whoever has one can
post there) lie in files that only Alertmanager reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.host.systemd_units import UNITS_FOLDER, metrics_port
from infra.templates import render_template, render_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.values import StackPlan

RULES_FOLDER = "/etc/prometheus/rules"
PROMETHEUS_CONFIG, ALERTMANAGER_CONFIG = "/etc/prometheus/motcua.yml", "/etc/prometheus/motcua-alertmanager.yml"
"""Files of our own: the packages' stay as they are."""
OPS_RECEIVER = "ops"
CENTRES_RECEIVER = "centres"
SILENT_RECEIVER = "nobody"
"""Gets what is not for people: that a place is closed, and that rollup lives."""
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
    """Who gets alerts: a mail address by a server, or a webhook whose URL stands in a file (Alertmanager 0.26 on).

    Without more, mail to this machine's root by its own mail server: no password is needed for that.
    """

    email: str = "root@localhost"
    smarthost: str = "localhost:25"
    sender: str = "motcua@localhost"
    username: str = ""
    password_file: str = ""
    webhook_file: str = ""
    watchdog_file: str = ""
    """Holds the URL of an outside watcher, which must hear of MotcuaWatchdog every minute or call for help itself."""


@dataclass(frozen=True, slots=True)
class PrometheusPaths:
    """Rules (a path with *) and Alertmanagers (`host:port`) as Prometheus sees them."""

    rules: str = f"{RULES_FOLDER}/*.yaml"
    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)


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
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(effective_paths.alertmanagers)}]}]},
        "scrape_configs": jobs,
    }


def alertmanager_configuration(plan: StackPlan, receiver: AlertReceiver | None = None) -> dict[str, object]:
    """Return alertmanager.yml as a mapping: one message per centre, none about what follows from another alert."""
    effective_receiver = receiver or AlertReceiver()
    receiver_config = _receiver_config(effective_receiver)
    centre_route: dict[str, object] = {
        "matchers": ['centre=~".+"'], "receiver": CENTRES_RECEIVER, "group_by": ["centre"], "group_wait": "1m",
    }  # fmt: skip
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": OPS_RECEIVER,
            "group_by": ["alertname", "province"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "4h" if plan.stage == "prod" else "24h",
            "routes": [*_silent_routes(effective_receiver), _objective_route(), centre_route],
        },
        "inhibit_rules": inhibition_rules(),
        "receivers": [
            *({"name": name, **receiver_config} for name in (OPS_RECEIVER, CENTRES_RECEIVER)),
            {"name": SILENT_RECEIVER},
            *_watchdog_receivers(effective_receiver),
        ],
    }


def _objective_route() -> dict[str, object]:
    """Return the way of burn-rate alerts: one message per place and cause, soon, for minutes count."""
    return {
        "matchers": ['severity=~"page|ticket"', 'scope=~".+"'],
        "receiver": CENTRES_RECEIVER,
        "group_by": ["province", "centre", "cause"],
        "group_wait": "15s",
        "group_interval": "1m",
    }


def _silent_routes(receiver: AlertReceiver) -> list[dict[str, object]]:
    """Return the ways of what is not for people; an outside watcher hears every minute that all of this works."""
    every_minute = {"group_wait": "0s", "group_interval": "30s", "repeat_interval": "1m"}
    watchdog_route: dict[str, object] = {
        "matchers": ["alertname=MotcuaWatchdog"],
        "receiver": WATCHDOG_RECEIVER,
        **every_minute,
    }
    silent_route: dict[str, object] = {
        "matchers": ['alertname=~"MotcuaClosed|MotcuaWatchdog"'],
        "receiver": SILENT_RECEIVER,
    }
    return [watchdog_route, silent_route] if receiver.watchdog_file else [silent_route]


def _watchdog_receivers(receiver: AlertReceiver) -> list[dict[str, object]]:
    webhooks = [{"url_file": receiver.watchdog_file, "send_resolved": False}]
    return [{"name": WATCHDOG_RECEIVER, "webhook_configs": webhooks}] if receiver.watchdog_file else []


def _receiver_config(receiver: AlertReceiver) -> dict[str, object]:
    if receiver.webhook_file:
        return {"webhook_configs": [{"url_file": receiver.webhook_file, "send_resolved": True, "max_alerts": 100}]}
    mail = {"to": receiver.email, "from": receiver.sender, "smarthost": receiver.smarthost, "send_resolved": True}
    if not receiver.password_file:
        return {"email_configs": [{**mail, "require_tls": not receiver.smarthost.startswith("localhost:")}]}
    login = {"auth_username": receiver.username, "auth_password_file": receiver.password_file}
    return {"email_configs": [{**mail, **login}]}


def inhibition_rules() -> list[dict[str, object]]:
    """Return which alerts keep which others quiet: a cause its effects, a centre its devices."""
    blind = 'alertname=~"MotcuaApiMissing|MotcuaApiNotReady|MotcuaRollupBehind|MotcuaRollupMissing"'
    stopped = 'alertname=~"MotcuaIngestMissing|MotcuaIngestNotConnected|MotcuaIngestNotReady"'
    rules: list[dict[str, object]] = [
        # Burn-rate alerts come from rollup itself: a dead API must not keep them quiet.
        {"source_matchers": [blind], "target_matchers": ['centre=~".+"', _RULE_SEVERITY], "equal": ["province"]},
        {
            "source_matchers": [stopped],
            "target_matchers": ['alertname=~"MotcuaCentreUnknown|MotcuaCompletenessFalls|MotcuaIngestLag"'],
            "equal": ["province"],
        },
        {
            "source_matchers": ['alertname=~"MotcuaCentreDown|MotcuaCentreUnknown"'],
            "target_matchers": ["alertname=MotcuaDevicesDown"],
            "equal": ["centre"],
        },
        # Nothing is repeated about an alert whose place is closed.
        {
            "source_matchers": ["alertname=MotcuaClosed"],
            "target_matchers": ['severity=~"page|ticket"'],
            "equal": ["objective", "scope", "centre"],
        },
    ]
    # What an objective has paged for is not told again by the rules that look at the state alone.
    for label, source in _PAGED_SCOPES.items():
        rules.append(
            {"source_matchers": [_PAGE_SEVERITY, *source], "target_matchers": [_STATE_ALERTS], "equal": [label]}
        )
    return rules


_RULE_SEVERITY = 'severity=~"critical|warning"'
_PAGE_SEVERITY = "severity=page"
_STATE_ALERTS = 'alertname=~"MotcuaCentreDown|MotcuaCentreUnknown|MotcuaDevicesDown"'
_PAGED_SCOPES = {
    "centre": ('alertname=~"MotcuaConnectivity|MotcuaAvailability"', 'scope=~"centre:.+"'),
    "province": ('scope=~"province:.+"',),
}
"""Whose page keeps them quiet, by what both have alike."""


def host_monitoring_files(plan: StackPlan, workers: Sequence[str]) -> dict[str, str]:
    """Return {path: text} for one machine: both configurations, the plan's rules, drop-ins of Debian's units."""
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
