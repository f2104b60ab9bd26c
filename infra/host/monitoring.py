"""Writes Prometheus' and Alertmanager's configuration from the plan; no addresses but those given, and no secret.

For Prometheus 2.42 and Alertmanager 0.25 (Debian 12) and later. Passwords and webhook addresses (whoever has one can
post there) lie in files that only Alertmanager reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.host.text import block
from infra.host.units import UNITS, metrics_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.plan.values import Plan

RULES = "/etc/prometheus/rules"
CONFIG, ALERTS = "/etc/prometheus/motcua.yml", "/etc/prometheus/motcua-alertmanager.yml"
"""Files of our own: the packages' stay as they are."""
RECEIVER = "ops"
TEAMS = "centres"
NOBODY = "nobody"
"""Gets what is not for people: that a place is closed, and that rollup lives."""
WATCHDOG = "watchdog"

_DROP_IN = """[Unit]
StartLimitIntervalSec=0

[Service]
ExecStart=
ExecStart={command}
Restart=always
RestartSec=5
MemoryMax={memory}
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=full
RestrictSUIDSGID=yes
"""
_PROMETHEUS = (
    f"/usr/bin/prometheus --config.file={CONFIG} --web.listen-address=127.0.0.1:9090 "
    "--storage.tsdb.path=/var/lib/prometheus/metrics2/ --storage.tsdb.retention.time=90d "
    "--storage.tsdb.retention.size=8GB"
)
_ALERTMANAGER = (
    f"/usr/bin/prometheus-alertmanager --config.file={ALERTS} --web.listen-address=127.0.0.1:9093 "
    "--cluster.listen-address= --storage.path=/var/lib/prometheus/alertmanager/"
)


@dataclass(frozen=True, slots=True)
class Receiver:
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
class Places:
    """Rules (a path with *) and Alertmanagers (`host:port`) as Prometheus sees them."""

    rules: str = f"{RULES}/*.yaml"
    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)


def prometheus(plan: Plan, targets: Mapping[str, Sequence[str]], places: Places | None = None) -> str:
    """Return prometheus.yml; `targets` gives each scrape job its `host:port`s, and a job without any is left out."""
    where = places or Places()
    jobs = [
        {
            "job_name": one.name,
            "metrics_path": one.path,
            "scrape_interval": f"{one.every_s}s",
            "scrape_timeout": f"{min(10, one.every_s)}s",
            "static_configs": [{"targets": list(targets[one.name])}],
        }
        for one in plan.scrapes
        if targets.get(one.name)
    ]
    return block(
        {
            "global": {
                "scrape_interval": "30s",
                "evaluation_interval": "30s",
                "external_labels": {"province": plan.province, "stage": plan.stage},
            },
            "rule_files": [where.rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(where.alertmanagers)}]}]},
            "scrape_configs": jobs,
        }
    )


def alertmanager(plan: Plan, receiver: Receiver | None = None) -> str:
    """Return alertmanager.yml: one message per centre, and no message about what follows from another."""
    who = receiver or Receiver()
    told = _told(who)
    network: dict[str, object] = {
        "matchers": ['centre=~".+"'], "receiver": TEAMS, "group_by": ["centre"], "group_wait": "1m",
    }  # fmt: skip
    return block(
        {
            "global": {"resolve_timeout": "5m"},
            "route": {
                "receiver": RECEIVER,
                "group_by": ["alertname", "province"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "4h" if plan.stage == "prod" else "24h",
                "routes": [*_unseen(who), _objectives(), network],
            },
            "inhibit_rules": inhibitions(),
            "receivers": [*({"name": name, **told} for name in (RECEIVER, TEAMS)), {"name": NOBODY}, *_watcher(who)],
        }
    )


def _objectives() -> dict[str, object]:
    """Return the way of burn-rate alerts: one message per place and cause, soon, for minutes count."""
    return {
        "matchers": ['severity=~"page|ticket"', 'scope=~".+"'],
        "receiver": TEAMS,
        "group_by": ["province", "centre", "cause"],
        "group_wait": "15s",
        "group_interval": "1m",
    }


def _unseen(who: Receiver) -> list[dict[str, object]]:
    """Return the ways of what is not for people; an outside watcher hears every minute that all of this works."""
    every_minute = {"group_wait": "0s", "group_interval": "30s", "repeat_interval": "1m"}
    lives: dict[str, object] = {"matchers": ["alertname=MotcuaWatchdog"], "receiver": WATCHDOG, **every_minute}
    unseen: dict[str, object] = {"matchers": ['alertname=~"MotcuaClosed|MotcuaWatchdog"'], "receiver": NOBODY}
    return [lives, unseen] if who.watchdog_file else [unseen]


def _watcher(who: Receiver) -> list[dict[str, object]]:
    told = [{"url_file": who.watchdog_file, "send_resolved": False}]
    return [{"name": WATCHDOG, "webhook_configs": told}] if who.watchdog_file else []


def _told(receiver: Receiver) -> dict[str, object]:
    if receiver.webhook_file:
        return {"webhook_configs": [{"url_file": receiver.webhook_file, "send_resolved": True, "max_alerts": 100}]}
    mail = {"to": receiver.email, "from": receiver.sender, "smarthost": receiver.smarthost, "send_resolved": True}
    if not receiver.password_file:
        return {"email_configs": [{**mail, "require_tls": not receiver.smarthost.startswith("localhost:")}]}
    login = {"auth_username": receiver.username, "auth_password_file": receiver.password_file}
    return {"email_configs": [{**mail, **login}]}


def inhibitions() -> list[dict[str, object]]:
    """Return which alerts keep which others quiet: a cause its effects, a centre its devices."""
    blind = 'alertname=~"MotcuaApiMissing|MotcuaApiNotReady|MotcuaRollupBehind|MotcuaRollupMissing"'
    stopped = 'alertname=~"MotcuaIngestMissing|MotcuaIngestNotConnected|MotcuaIngestNotReady"'
    rules: list[dict[str, object]] = [
        # Burn-rate alerts come from rollup itself: a dead API must not keep them quiet.
        {"source_matchers": [blind], "target_matchers": ['centre=~".+"', _BY_RULE], "equal": ["province"]},
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
    for what, source in _ALSO.items():
        rules.append({"source_matchers": [_PAGED, *source], "target_matchers": [_STATES], "equal": [what]})
    return rules


_BY_RULE = 'severity=~"critical|warning"'
_PAGED = "severity=page"
_STATES = 'alertname=~"MotcuaCentreDown|MotcuaCentreUnknown|MotcuaDevicesDown"'
_ALSO = {
    "centre": ('alertname=~"MotcuaConnectivity|MotcuaAvailability"', 'scope=~"centre:.+"'),
    "province": ('scope=~"province:.+"',),
}
"""Whose page keeps them quiet, by what both have alike."""


def on_host(plan: Plan, workers: Sequence[str]) -> dict[str, str]:
    """Return {path: text} for one machine: both configurations, the plan's rules, drop-ins of Debian's units."""
    local = {one.name: [f"127.0.0.1:{one.port}"] for one in plan.scrapes}
    targets = {**local, "motcua-ingest": [f"127.0.0.1:{metrics_port(name)}" for name in workers]}
    rules = {path: text for path, text in plan.files.items() if path.startswith("rules/")}
    return {
        CONFIG.lstrip("/"): prometheus(plan, targets),
        ALERTS.lstrip("/"): alertmanager(plan),
        **{f"{RULES.lstrip('/')}/{path.removeprefix('rules/')}": text for path, text in rules.items()},
        f"{UNITS}/prometheus.service.d/motcua.conf": _DROP_IN.format(command=_PROMETHEUS, memory="1G"),
        f"{UNITS}/prometheus-alertmanager.service.d/motcua.conf": _DROP_IN.format(command=_ALERTMANAGER, memory="256M"),
    }
