"""The alerts that are told now, from one step to the next: begun while burning, ended at rest; it must send nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, SLOT, floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.slo.alert_grouping import AlertGroup, AlertKey

RESOLVED_KEPT_MS = HOUR
"""How long an alert that has ended is told as ended, so that an Alertmanager that was away learns it."""

_CAUSE_BY_SLI = {
    "connectivity": "link",
    "availability": "device",
    "readiness": "device",
    "wait": "queue",
    "latency": "system",
}


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert as it was begun: its labels never change, or Alertmanager would take it for another one.

    Times are Unix ms: `burned` when it last burned (a 5-minute mark), `shut` since when its clock stands still,
    `opened` when that last ended, `resolved` when the alert ended.
    """

    labels: tuple[tuple[str, str], ...]
    started_at: int
    last_burned_at: int
    muted_since: int | None = None
    unmuted_at: int | None = None
    resolved_at: int | None = None


def last_burned(active_alerts: Mapping[AlertKey, ActiveAlert]) -> dict[AlertKey, int]:
    """Return the alerts that have not ended, with when they last burned."""
    return {key: s.last_burned_at for key, s in active_alerts.items() if s.resolved_at is None}


def advance_alerts(
    previous: Mapping[AlertKey, ActiveAlert],
    groups: Iterable[AlertGroup],
    province: str,
    now: int,
    *,
    all_evaluated: bool,
) -> dict[AlertKey, ActiveAlert]:
    """Take one step.

    An alert begins only while it burns: what a parent spoke for is silent when the parent has ended, unless it is
    still bad.  `sure` is False while not everything is judged again: then nothing ends.
    """
    group_by_key = {r.key: r for r in groups}
    next_alerts = {
        key: _resolve_alert(s, now) if key not in group_by_key and all_evaluated else s for key, s in previous.items()
    }
    for key, group in group_by_key.items():
        existing = next_alerts.get(key)
        if existing is not None and existing.resolved_at is None:
            next_alerts[key] = _continue_alert(existing, group, now)
        elif group.is_burning:
            next_alerts[key] = _start_alert(group, existing, province, now)
        elif existing is not None:
            next_alerts[key] = existing
    return {k: s for k, s in next_alerts.items() if s.resolved_at is None or now - s.resolved_at < RESOLVED_KEPT_MS}


def _resolve_alert(alert: ActiveAlert, now: int) -> ActiveAlert:
    return alert if alert.resolved_at is not None else replace(alert, resolved_at=now)


def _continue_alert(alert: ActiveAlert, group: AlertGroup, now: int) -> ActiveAlert:
    burned_at = floor(now, SLOT) if group.is_burning else alert.last_burned_at
    if group.is_open == (alert.muted_since is None):
        return replace(alert, last_burned_at=burned_at)
    if group.is_open:
        return replace(alert, last_burned_at=burned_at, muted_since=None, unmuted_at=now)
    return replace(alert, muted_since=now)


def _start_alert(group: AlertGroup, previous: ActiveAlert | None, province: str, now: int) -> ActiveAlert:
    """Begin after the last one's end: Alertmanager would join two that overlap."""
    started = (
        group.firing_since
        if previous is None or previous.resolved_at is None
        else max(group.firing_since, previous.resolved_at + 1)
    )
    return ActiveAlert(tuple(sorted(alert_labels(group, province).items())), min(started, now), floor(now, SLOT))


def alert_labels(group: AlertGroup, province: str) -> dict[str, str]:
    """Return an alert's labels; those without a value are left out."""
    first = group.firings[0]
    scoped = first.evaluation.scoped
    is_province = group.scope.startswith("province:")
    values = {
        "alertname": f"Motcua{group.sli.capitalize()}",
        "severity": group.severity,
        "objective": scoped.objective.id,
        "scope": group.scope,
        "centre": scoped.centre.id if scoped.centre and not is_province else "",
        "province": scoped.centre.province if scoped.centre else province,
        "cause": alert_cause(group),
        "rule": next(iter(first.rules), ""),
    }
    return {name: value for name, value in values.items() if value}


def alert_cause(group: AlertGroup) -> str:
    """Return what is to blame: a site's link, a device, the queue, a digital system, or the platform all share."""
    if group.scope.startswith("province:"):
        return "platform"
    if group.scope.startswith("system:"):
        return "system"
    return "device" if group.scope.startswith("device:") and group.sli == "connectivity" else _CAUSE_BY_SLI[group.sli]
