"""Puts alerts into words, Vietnamese and English, with their figures of the moment; it must decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE, at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.slo.alert import Standing
    from telemetry.core.slo.alert_grouping import Firing, Key, Root

EXPIRES_MS = 4 * MINUTE
"""An alert that is not told again ends by itself after this time: nobody stands behind it any more."""
SHUT_EXPIRES_MS = 8 * MINUTE
"""What keeps alerts of a closed place quiet outlives them, or their end would be told at night."""
CHILDREN_NAMED = 20
RUNBOOK = "docs/operate.md#burn-rate-alerts"

_UNITS = {"wait": ("tickets", "lượt"), "readiness": ("days", "ngày"), "latency": ("probes", "lần đo")}
_SAID = {
    "connectivity": ("has lost contact", "mất liên lạc"),
    "availability": ("does not serve", "không phục vụ được"),
    "readiness": ("was not ready at opening time", "chưa sẵn sàng lúc mở cửa"),
    "wait": ("keeps people waiting", "để người dân chờ lâu"),
    "latency": ("answers slowly", "phản hồi chậm"),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """What Alertmanager is told; it runs from `starts` to `ends`, Unix ms, `ends` in the future while it goes on."""

    labels: tuple[tuple[str, str], ...]
    starts: int
    ends: int
    annotations: tuple[tuple[str, str], ...] = ()


def words(root: Root, zone: ZoneInfo) -> dict[str, str]:
    """Return an alert's words and figures."""
    worst = max(root.firings, key=_rate)
    since = at(root.since, zone).strftime("%H:%M %d/%m/%Y")
    left, unit_en, unit_vi = _left(worst)
    rate, count = f"{_rate(worst):.1f}", len(root.children)
    ident = root.scope.partition(":")[2]
    said_en, said_vi = _SAID[root.sli]
    name_en, name_vi = worst.judged.aimed.objective.name_en, worst.judged.aimed.objective.name_vi
    below_en = f"; {count} below it are affected" if count else ""
    below_vi = f"; {count} đối tượng bên dưới bị ảnh hưởng" if count else ""
    return {
        "summary": f"{ident} {said_en} since {since}: {name_en} burns {rate} times as fast as it may; "
        f"{left} {unit_en} of budget left{below_en}.",
        "summary_vi": f"{ident} {said_vi} từ {since}: {name_vi} tiêu hao nhanh gấp {_comma(rate)} lần mức cho phép; "
        f"ngân sách còn {_comma(left)} {unit_vi}{below_vi}.",
        "since": at(root.since, zone).isoformat(),
        "burn_rate": rate,
        "budget_left": f"{left} {unit_en}",
        "rules": ", ".join(sorted({name for f in root.firings for name in f.alarms})),
        "objectives": ", ".join(sorted({f.judged.aimed.objective.id for f in root.firings})),
        "children": str(count),
        "children_ids": ", ".join(_named(root)),
        "runbook": RUNBOOK,
    }


def _rate(firing: Firing) -> float:
    return max((r.long or 0.0 for r in firing.judged.status.readings if r.rule.name in firing.alarms), default=0.0)


def _left(firing: Firing) -> tuple[str, str, str]:
    found, sli = firing.judged.status.budget, firing.judged.aimed.objective.sli
    if firing.judged.status.account is None and sli in _UNITS:
        return f"{found.remaining:.0f}", *_UNITS[sli]
    return f"{found.minutes[2]:.0f}", "minutes", "phút"


def _comma(number: str) -> str:
    return number.replace(".", ",")


def _named(root: Root) -> list[str]:
    ids = [scope.partition(":")[2] for scope in root.children[:CHILDREN_NAMED]]
    more = len(root.children) - len(ids)
    return [*ids, f"… {more} more"] if more else ids


def told(standing: Iterable[Standing], roots: Iterable[Root], zone: ZoneInfo, now: int) -> list[Alert]:
    """Return everything Alertmanager should know at `now`: what goes on, what has ended, what is closed, and us."""
    said = {r.key: words(r, zone) for r in roots}
    found = [a for s in standing for a in (_alert(s, said, now), _shut(s, now)) if a]
    return [*found, watchdog(now)]


def _alert(one: Standing, texts: Mapping[Key, Mapping[str, str]], now: int) -> Alert:
    said = dict(one.labels)
    key = (said["alertname"].removeprefix("Motcua").lower(), said["scope"], said["severity"])
    ends = now + EXPIRES_MS if one.resolved is None else max(one.resolved, one.started + 1)
    text = texts.get(key, {"runbook": RUNBOOK})
    return Alert(one.labels, one.started, ends, tuple(sorted((k, v) for k, v in text.items() if v)))


def _shut(one: Standing, now: int) -> Alert | None:
    """Say that an alert's place is closed: Alertmanager then repeats nothing about it until it opens."""
    kept = {"objective", "scope", "centre", "province"}
    name = {"alertname": "MotcuaClosed", "severity": "none"}
    marked = tuple(sorted({**{k: v for k, v in one.labels if k in kept}, **name}.items()))
    if one.shut is not None and one.resolved is None:
        return Alert(marked, one.shut, now + SHUT_EXPIRES_MS)
    ended = one.resolved if one.shut is not None else one.opened
    if ended is None or now - ended > SHUT_EXPIRES_MS:
        return None
    return Alert(marked, min(one.started, ended - 1), ended)


def watchdog(now: int) -> Alert:
    """Return the alert that always fires: who no longer gets it knows that nobody judges, or that nothing arrives."""
    said = {"alertname": "MotcuaWatchdog", "severity": "none"}
    text = {"summary": "Rollup judges the objectives and reaches Alertmanager.", "runbook": RUNBOOK}
    return Alert(tuple(sorted(said.items())), now, now + EXPIRES_MS, tuple(sorted(text.items())))
