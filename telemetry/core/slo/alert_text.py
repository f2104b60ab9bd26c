"""Puts alerts into words, Vietnamese and English, with their figures of the moment; it must decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE, to_local

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.slo.alert import ActiveAlert
    from telemetry.core.slo.alert_grouping import AlertGroup, AlertKey, FiringObjective

ALERT_EXPIRES_MS = 4 * MINUTE
"""An alert that is not told again ends by itself after this time: nobody stands behind it any more."""
MUTE_EXPIRES_MS = 8 * MINUTE
"""What keeps alerts of a closed place quiet outlives them, or their end would be told at night."""
MAX_LISTED_CHILDREN = 20
RUNBOOK = "docs/operate.md#burn-rate-alerts"

_UNITS = {"wait": ("tickets", "lượt"), "readiness": ("days", "ngày"), "latency": ("probes", "lần đo")}
_PHRASES = {
    "connectivity": ("has lost contact", "mất liên lạc"),
    "availability": ("does not serve", "không phục vụ được"),
    "readiness": ("was not ready at opening time", "chưa sẵn sàng lúc mở cửa"),
    "wait": ("keeps people waiting", "để người dân chờ lâu"),
    "latency": ("answers slowly", "phản hồi chậm"),
}


@dataclass(frozen=True, slots=True)
class PostableAlert:
    """What Alertmanager is told; it runs from `starts` to `ends`, Unix ms, `ends` in the future while it goes on."""

    labels: tuple[tuple[str, str], ...]
    starts_at: int
    ends_at: int
    annotations: tuple[tuple[str, str], ...] = ()


def render_annotations(group: AlertGroup, zone: ZoneInfo) -> dict[str, str]:
    """Return an alert's words and figures."""
    worst = max(group.firings, key=_highest_burn_rate)
    since = to_local(group.firing_since, zone).strftime("%H:%M %d/%m/%Y")
    budget_left, unit_en, unit_vi = _budget_left(worst)
    rate, count = f"{_highest_burn_rate(worst):.1f}", len(group.child_scopes)
    ident = group.scope.partition(":")[2]
    phrase_en, phrase_vi = _PHRASES[group.sli]
    name_en, name_vi = worst.evaluation.scoped.objective.name_en, worst.evaluation.scoped.objective.name_vi
    below_en = f"; {count} below it are affected" if count else ""
    below_vi = f"; {count} đối tượng bên dưới bị ảnh hưởng" if count else ""
    return {
        "summary": f"{ident} {phrase_en} since {since}: {name_en} burns {rate} times as fast as it may; "
        f"{budget_left} {unit_en} of budget left{below_en}.",
        "summary_vi": f"{ident} {phrase_vi} từ {since}: {name_vi} tiêu hao nhanh "
        f"gấp {_with_decimal_comma(rate)} lần mức cho phép; "
        f"ngân sách còn {_with_decimal_comma(budget_left)} {unit_vi}{below_vi}.",
        "since": to_local(group.firing_since, zone).isoformat(),
        "burn_rate": rate,
        "budget_left": f"{budget_left} {unit_en}",
        "rules": ", ".join(sorted({name for f in group.firings for name in f.alarms})),
        "objectives": ", ".join(sorted({f.evaluation.scoped.objective.id for f in group.firings})),
        "children": str(count),
        "children_ids": ", ".join(_listed_children(group)),
        "runbook": RUNBOOK,
    }


def _highest_burn_rate(firing: FiringObjective) -> float:
    return max(
        (r.long_rate or 0.0 for r in firing.evaluation.status.burn_rates if r.rule.name in firing.alarms), default=0.0
    )


def _budget_left(firing: FiringObjective) -> tuple[str, str, str]:
    remaining_budget, sli = firing.evaluation.status.budget, firing.evaluation.scoped.objective.sli
    if firing.evaluation.status.account is None and sli in _UNITS:
        return f"{remaining_budget.remaining:.0f}", *_UNITS[sli]
    return f"{remaining_budget.minutes[2]:.0f}", "minutes", "phút"


def _with_decimal_comma(number: str) -> str:
    return number.replace(".", ",")


def _listed_children(group: AlertGroup) -> list[str]:
    ids = [scope.partition(":")[2] for scope in group.child_scopes[:MAX_LISTED_CHILDREN]]
    more = len(group.child_scopes) - len(ids)
    return [*ids, f"… {more} more"] if more else ids


def build_postable_alerts(
    active_alerts: Iterable[ActiveAlert], groups: Iterable[AlertGroup], zone: ZoneInfo, now: int
) -> list[PostableAlert]:
    """Return everything Alertmanager should know at `now`: what goes on, what has ended, what is closed, and us."""
    annotations_by_key = {r.key: render_annotations(r, zone) for r in groups}
    alerts = [
        a for s in active_alerts for a in (_build_alert(s, annotations_by_key, now), _build_mute_alert(s, now)) if a
    ]
    return [*alerts, watchdog_alert(now)]


def _build_alert(
    alert: ActiveAlert, annotations_by_key: Mapping[AlertKey, Mapping[str, str]], now: int
) -> PostableAlert:
    labels = dict(alert.labels)
    key = (labels["alertname"].removeprefix("Motcua").lower(), labels["scope"], labels["severity"])
    ends = now + ALERT_EXPIRES_MS if alert.resolved_at is None else max(alert.resolved_at, alert.started_at + 1)
    annotations = annotations_by_key.get(key, {"runbook": RUNBOOK})
    return PostableAlert(
        alert.labels, alert.started_at, ends, tuple(sorted((k, v) for k, v in annotations.items() if v))
    )


def _build_mute_alert(alert: ActiveAlert, now: int) -> PostableAlert | None:
    """Say that an alert's place is closed: Alertmanager then repeats nothing about it until it opens."""
    scope_labels = {"objective", "scope", "centre", "province"}
    mute_labels = {"alertname": "MotcuaClosed", "severity": "none"}
    labels = tuple(sorted({**{k: v for k, v in alert.labels if k in scope_labels}, **mute_labels}.items()))
    if alert.muted_since is not None and alert.resolved_at is None:
        return PostableAlert(labels, alert.muted_since, now + MUTE_EXPIRES_MS)
    ended_at = alert.resolved_at if alert.muted_since is not None else alert.unmuted_at
    if ended_at is None or now - ended_at > MUTE_EXPIRES_MS:
        return None
    return PostableAlert(labels, min(alert.started_at, ended_at - 1), ended_at)


def watchdog_alert(now: int) -> PostableAlert:
    """Return the alert that always fires: who no longer gets it knows that nobody judges, or that nothing arrives."""
    labels = {"alertname": "MotcuaWatchdog", "severity": "none"}
    annotations = {"summary": "Rollup judges the objectives and reaches Alertmanager.", "runbook": RUNBOOK}
    return PostableAlert(tuple(sorted(labels.items())), now, now + ALERT_EXPIRES_MS, tuple(sorted(annotations.items())))
