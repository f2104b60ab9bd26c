"""The alerts that are told now, from one step to the next: begun while burning, ended at rest; it must send nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import FIVE, HOUR, floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.slo.alert_grouping import Key, Root

KEPT_MS = HOUR
"""How long an alert that has ended is told as ended, so that an Alertmanager that was away learns it."""

_CAUSES = {
    "connectivity": "link",
    "availability": "device",
    "readiness": "device",
    "wait": "queue",
    "latency": "system",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as it was begun: its labels never change, or Alertmanager would take it for another one.

    Times are Unix ms: `burned` when it last burned (a 5-minute mark), `shut` since when its clock stands still,
    `opened` when that last ended, `resolved` when the alert ended.
    """

    labels: tuple[tuple[str, str], ...]
    started: int
    burned: int
    shut: int | None = None
    opened: int | None = None
    resolved: int | None = None


def burned(standing: Mapping[Key, Standing]) -> dict[Key, int]:
    """Return the alerts that have not ended, with when they last burned."""
    return {key: s.burned for key, s in standing.items() if s.resolved is None}


def stand(
    before: Mapping[Key, Standing], roots: Iterable[Root], province: str, now: int, *, sure: bool
) -> dict[Key, Standing]:
    """Take one step.

    An alert begins only while it burns: what a parent spoke for is silent when the parent has ended, unless it is
    still bad.  `sure` is False while not everything is judged again: then nothing ends.
    """
    found = {r.key: r for r in roots}
    after = {key: _ended(s, now) if key not in found and sure else s for key, s in before.items()}
    for key, root in found.items():
        was = after.get(key)
        if was is not None and was.resolved is None:
            after[key] = _going_on(was, root, now)
        elif root.burning:
            after[key] = _begun(root, was, province, now)
        elif was is not None:
            after[key] = was
    return {k: s for k, s in after.items() if s.resolved is None or now - s.resolved < KEPT_MS}


def _ended(one: Standing, now: int) -> Standing:
    return one if one.resolved is not None else replace(one, resolved=now)


def _going_on(one: Standing, root: Root, now: int) -> Standing:
    burned_at = floor(now, FIVE) if root.burning else one.burned
    if root.open == (one.shut is None):
        return replace(one, burned=burned_at)
    if root.open:
        return replace(one, burned=burned_at, shut=None, opened=now)
    return replace(one, shut=now)


def _begun(root: Root, was: Standing | None, province: str, now: int) -> Standing:
    """Begin after the last one's end: Alertmanager would join two that overlap."""
    started = root.since if was is None or was.resolved is None else max(root.since, was.resolved + 1)
    return Standing(tuple(sorted(labels(root, province).items())), min(started, now), floor(now, FIVE))


def labels(root: Root, province: str) -> dict[str, str]:
    """Return an alert's labels; those without a value are left out."""
    first = root.firings[0]
    aimed = first.judged.aimed
    whole = root.scope.startswith("province:")
    found = {
        "alertname": f"Motcua{root.sli.capitalize()}",
        "severity": root.severity,
        "objective": aimed.objective.id,
        "scope": root.scope,
        "centre": aimed.centre.id if aimed.centre and not whole else "",
        "province": aimed.centre.province if aimed.centre else province,
        "cause": cause(root),
        "rule": next(iter(first.rules), ""),
    }
    return {name: value for name, value in found.items() if value}


def cause(root: Root) -> str:
    """Return what is to blame: a site's link, a device, the queue, a digital system, or the platform all share."""
    if root.scope.startswith("province:"):
        return "platform"
    if root.scope.startswith("system:"):
        return "system"
    return "device" if root.scope.startswith("device:") and root.sli == "connectivity" else _CAUSES[root.sli]
