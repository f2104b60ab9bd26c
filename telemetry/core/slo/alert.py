"""Advances active alerts step by step and builds their texts in Vietnamese and English; it sends nothing.

An alert starts only while it burns and is resolved when its group no longer exists.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, floor, to_local
from telemetry.core.hosted.derived_systems import CLOSED_PATH
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.slo.alert_grouping import AlertGroup, AlertKey, FiringObjective

RESOLVED_RETENTION_MS = HOUR
"""How long a resolved alert is still posted as resolved, so that an Alertmanager that was down receives it."""
ALERT_EXPIRES_MS = 4 * MINUTE
"""An alert that is not posted again expires after this time: rollup no longer confirms it."""
MUTE_EXPIRES_MS = 8 * MINUTE
"""What mutes the alerts of a closed place outlives them, or their end would be notified at night."""
MAX_LISTED_CHILDREN = 20
RUNBOOK = "docs/reference/alerts.md"

_CAUSE_BY_SLI = {
    "connectivity": "link",
    "availability": "device",
    "readiness": "device",
    "wait": "queue",
    "latency": "system",
}
_UNITS = {"wait": ("tickets", "lượt"), "readiness": ("days", "ngày"), "latency": ("probes", "lần đo")}
_PHRASES = {
    "connectivity": ("has lost contact", "mất tín hiệu"),
    "availability": ("does not serve", "không phục vụ được"),
    "readiness": ("was not ready at opening time", "chưa sẵn sàng lúc mở cửa"),
    "wait": ("keeps people waiting", "để người dân chờ lâu"),
    "latency": ("answers slowly", "phản hồi chậm"),
}
_CLOSED_PATH_PHRASES = ("is open and must be closed", "đang mở, trong khi phải đóng")


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert as it was started: its labels never change, because Alertmanager would treat it as another alert.

    Times are Unix ms: `last_burned_at` is a slot's start, `muted_since` is when its place closed (None while open),
    `unmuted_at` when it opened again, `resolved_at` when the alert was resolved.
    """

    labels: tuple[tuple[str, str], ...]
    started_at: int
    last_burned_at: int
    muted_since: int | None = None
    unmuted_at: int | None = None
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class PostableAlert:
    """One alert as Alertmanager receives it, Unix ms; `ends_at` is in the future while it is active."""

    labels: tuple[tuple[str, str], ...]
    starts_at: int
    ends_at: int
    annotations: tuple[tuple[str, str], ...] = ()


def last_burned(active_alerts: Mapping[AlertKey, ActiveAlert]) -> dict[AlertKey, int]:
    """Return the alerts that are not resolved, with when they last burned."""
    return {key: a.last_burned_at for key, a in active_alerts.items() if a.resolved_at is None}


def advance_alerts(
    previous: Mapping[AlertKey, ActiveAlert],
    groups: Iterable[AlertGroup],
    province: str,
    now: int,
    *,
    all_evaluated: bool,
) -> dict[AlertKey, ActiveAlert]:
    """Return the active alerts after one step.

    An alert starts only while it burns: when a parent is resolved, a child it covered starts no alert unless it still
    burns.  While not everything is evaluated again (`all_evaluated` is False), nothing is resolved.
    """
    group_by_key = {g.key: g for g in groups}
    next_alerts = dict(previous)
    for key, alert in previous.items():
        if key not in group_by_key and all_evaluated and alert.resolved_at is None:
            next_alerts[key] = replace(alert, resolved_at=now)
    for key, group in group_by_key.items():
        existing = next_alerts.get(key)
        if existing is not None and existing.resolved_at is None:
            next_alerts[key] = _continue_alert(existing, group, now)
        elif group.is_burning:
            next_alerts[key] = _start_alert(group, existing, province, now)
    return {
        k: a for k, a in next_alerts.items() if a.resolved_at is None or now - a.resolved_at < RESOLVED_RETENTION_MS
    }


def _continue_alert(alert: ActiveAlert, group: AlertGroup, now: int) -> ActiveAlert:
    burned_at = floor(now, SLOT) if group.is_burning else alert.last_burned_at
    if group.is_open == (alert.muted_since is None):
        return replace(alert, last_burned_at=burned_at)
    if group.is_open:
        return replace(alert, last_burned_at=burned_at, muted_since=None, unmuted_at=now)
    return replace(alert, muted_since=now)


def _start_alert(group: AlertGroup, previous: ActiveAlert | None, province: str, now: int) -> ActiveAlert:
    """Start after the end of the last one: Alertmanager would join two that overlap."""
    started = group.firing_since
    if previous is not None and previous.resolved_at is not None:
        started = max(started, previous.resolved_at + 1)
    return ActiveAlert(tuple(sorted(alert_labels(group, province).items())), min(started, now), floor(now, SLOT))


def alert_labels(group: AlertGroup, province: str) -> dict[str, str]:
    """Return an alert's labels; those without a value are left out."""
    first = group.firings[0]
    scoped = first.evaluation.scoped
    values = {
        "alertname": f"Motcua{group.sli.capitalize()}",
        "severity": group.severity,
        "objective": scoped.objective.id,
        "scope": str(group.scope),
        "centre": scoped.centre.id if scoped.centre and group.scope.kind != "province" else "",
        "province": scoped.centre.province if scoped.centre else province,
        "cause": alert_cause(group),
        "rule": next(iter(first.rules), ""),
    }
    return {name: value for name, value in values.items() if value}


def alert_cause(group: AlertGroup) -> str:
    """Return the probable cause: a site's link, a device, the queue, a digital system, the network, or the platform."""
    kind = group.scope.kind
    if group.answers_inside:
        return "network"
    if kind in {"province", "system"}:
        return "platform" if kind == "province" else "system"
    return "device" if kind == "device" and group.sli == "connectivity" else _CAUSE_BY_SLI[group.sli]


def render_annotations(group: AlertGroup, zone: ZoneInfo) -> dict[str, str]:
    """Return an alert's texts and figures."""
    worst = max(group.firings, key=_highest_burn_rate)
    since = to_local(group.firing_since, zone)
    since_text = since.strftime("%H:%M %d/%m/%Y")
    amount, unit_en, unit_vi = _budget_left(worst)
    is_over = amount < 0
    amount_en = f"{abs(amount):,.0f}"
    amount_vi = amount_en.replace(",", ".")
    budget_en = f"{amount_en} {unit_en} over its error budget" if is_over else f"{amount_en} {unit_en} of budget left"
    budget_vi = f"đã vượt hạn mức lỗi {amount_vi} {unit_vi}" if is_over else f"hạn mức lỗi còn {amount_vi} {unit_vi}"
    rate, count = f"{_highest_burn_rate(worst):.1f}", len(group.child_scopes)
    objective = worst.evaluation.scoped.objective
    phrase_en, phrase_vi = _CLOSED_PATH_PHRASES if objective.part_kind == CLOSED_PATH else _PHRASES[group.sli]
    below_en = f"; {count} below it are affected" if count else ""
    below_vi = f"; {count} đối tượng bên dưới bị ảnh hưởng" if count else ""
    ids = [Scope(scope).id for scope in group.child_scopes[:MAX_LISTED_CHILDREN]]
    more = [f"… {count - len(ids)} more"] if count > len(ids) else []
    return {
        "summary": f"{group.scope.id} {phrase_en} since {since_text}: {objective.name_en} uses its error budget "
        f"{rate} times as fast as allowed; {budget_en}{below_en}.",
        "summary_vi": f"{group.scope.id} {phrase_vi} từ {since_text}: {objective.name_vi} tiêu hao hạn mức lỗi nhanh "
        f"gấp {rate.replace('.', ',')} lần mức cho phép; {budget_vi}{below_vi}.",
        "since": since.isoformat(),
        "burn_rate": rate,
        "budget_left": f"{amount:.0f} {unit_en}",
        "rules": ", ".join(sorted({name for f in group.firings for name in f.alarms})),
        "objectives": ", ".join(sorted({f.evaluation.scoped.objective.id for f in group.firings})),
        "children": str(count),
        "children_ids": ", ".join(ids + more),
        "runbook": RUNBOOK,
    }


def _highest_burn_rate(firing: FiringObjective) -> float:
    rates = (r.long_rate or 0.0 for r in firing.evaluation.status.burn_rates if r.rule.name in firing.alarms)
    return max(rates, default=0.0)


def _budget_left(firing: FiringObjective) -> tuple[float, str, str]:
    """Return the remaining error budget, negative when exceeded, and its unit in English and Vietnamese."""
    status, sli = firing.evaluation.status, firing.evaluation.scoped.objective.sli
    if status.account is None and sli in _UNITS:
        return status.budget.remaining, *_UNITS[sli]
    return status.budget.minutes[2], "minutes", "phút"


def build_postable_alerts(
    active_alerts: Iterable[ActiveAlert], groups: Iterable[AlertGroup], zone: ZoneInfo, now: int
) -> list[PostableAlert]:
    """Return everything to post at `now`: active and resolved alerts, mutes of closed places, and the watchdog."""
    annotations_by_key = {g.key: render_annotations(g, zone) for g in groups}
    alerts: list[PostableAlert] = []
    for active in active_alerts:
        alerts.append(_build_alert(active, annotations_by_key, now))
        if mute := _build_mute_alert(active, now):
            alerts.append(mute)
    return [*alerts, watchdog_alert(now)]


def _build_alert(
    alert: ActiveAlert, annotations_by_key: Mapping[AlertKey, Mapping[str, str]], now: int
) -> PostableAlert:
    labels = dict(alert.labels)
    key = (labels["alertname"].removeprefix("Motcua").lower(), labels["scope"], labels["severity"])
    ends_at = now + ALERT_EXPIRES_MS if alert.resolved_at is None else max(alert.resolved_at, alert.started_at + 1)
    annotations = annotations_by_key.get(key, {"runbook": RUNBOOK})
    filled = tuple(sorted((name, text) for name, text in annotations.items() if text))
    return PostableAlert(alert.labels, alert.started_at, ends_at, filled)


def _build_mute_alert(alert: ActiveAlert, now: int) -> PostableAlert | None:
    """Return the alert for a closed place: Alertmanager then sends no repeats about it until it opens."""
    scope_labels = {k: v for k, v in alert.labels if k in {"objective", "scope", "centre", "province"}}
    labels = tuple(sorted({**scope_labels, "alertname": "MotcuaClosed", "severity": "none"}.items()))
    if alert.muted_since is not None and alert.resolved_at is None:
        return PostableAlert(labels, alert.muted_since, now + MUTE_EXPIRES_MS)
    ended_at = alert.resolved_at if alert.muted_since is not None else alert.unmuted_at
    if ended_at is None or now - ended_at > MUTE_EXPIRES_MS:
        return None
    return PostableAlert(labels, min(alert.started_at, ended_at - 1), ended_at)


def watchdog_alert(now: int) -> PostableAlert:
    """Return the alert that always fires: when it is missing, evaluation or delivery of alerts has stopped."""
    labels = (("alertname", "MotcuaWatchdog"), ("severity", "none"))
    summary = "Rollup evaluates the objectives and reaches Alertmanager."
    return PostableAlert(labels, now, now + ALERT_EXPIRES_MS, (("runbook", RUNBOOK), ("summary", summary)))
