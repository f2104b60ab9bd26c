"""Reads OpenSLO documents (plain values, from YAML) as objectives and tells of each part what became of it.

Nothing is dropped silently: what has no counterpart here becomes a note. It must not read files or know YAML.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from telemetry.core.inventory import Objective
from telemetry.inventory.files import Document, locate
from telemetry.inventory.openslo import DURATIONS, MARK, toml
from telemetry.inventory.promises import LONGEST, default_clock, default_policy, objectives
from telemetry.inventory.records import IDENT, Faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.accounting import Policy
    from telemetry.core.inventory import Inventory, Period, Sli

VERSIONS = ("openslo/v1", "openslo.com/v2alpha")
PERIODS: Mapping[str, Period] = {text: period for period, text in DURATIONS.items()}
OWN = "our own telemetry is the indicator, its query is not used"
SLICES = "every second counts by itself here, slices are not counted"
REASONS = {
    "spec.indicator": OWN, "spec.indicatorRef": OWN, "spec.sli": OWN, "spec.sliRef": OWN,
    "timeSliceTarget": SLICES, "timeSliceWindow": SLICES,
    "op": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
    "value": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
}  # fmt: skip
KINDS = {
    "AlertPolicy": "the burn-rate rules are ours, by clock and period",
    "AlertCondition": "the burn-rate rules are ours, by clock and period",
    "AlertNotificationTarget": "alerts go to Alertmanager",
    "DataSource": "figures come from our own totals",
    "SLI": OWN,
    "Service": "scopes come from the inventory",
}
ROOT = ("apiVersion", "kind", "metadata", "spec")
METADATA = ("name", "displayName", "annotations", "labels")
SPEC = ("description", "service", "serviceRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies")
_ROLLING = re.compile(r"([1-9]\d{0,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class Note:
    """What was not taken as it stands: where in which document, and why."""

    document: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The objectives that were read, in order, each with the document it came from, and all notes."""

    objectives: tuple[tuple[str, Objective], ...]
    notes: tuple[Note, ...]


class _RefusedError(Exception):
    """A document that cannot be taken: its path and why."""


@dataclass(slots=True)
class _Slo:
    """One SLO document being read."""

    label: str
    body: Mapping[str, object]
    notes: list[Note] = field(default_factory=list)

    def note(self, path: str, reason: str) -> None:
        self.notes.append(Note(self.label, path, reason))

    def table(self, key: str) -> Mapping[str, object]:
        return _mapping(self.body.get(key, {}), key)

    def said(self, key: str) -> str:
        """Return one of our own annotations (or labels), empty when there is none."""
        metadata = self.table("metadata")
        found = (_mapping(metadata.get(place) or {}, f"metadata.{place}") for place in ("annotations", "labels"))
        return next((str(one[MARK + key]) for one in found if MARK + key in one), "")


def take(documents: Iterable[tuple[str, object]], world: Inventory) -> Taken:
    """Read documents, each with a label such as `slo.yaml#2`; what cannot be taken is a note."""
    taken: dict[str, tuple[str, Objective]] = {}
    notes: list[Note] = []
    for label, body in documents:
        for one in _read(label, body, world, notes):
            if one.id in taken:
                notes.append(Note(label, "metadata.name", f"not taken: {one.id} is already in {taken[one.id][0]}"))
            taken.setdefault(one.id, (label, one))
    return Taken(tuple(taken.values()), tuple(notes))


def _read(label: str, body: object, world: Inventory, notes: list[Note]) -> Sequence[Objective]:
    if not isinstance(body, dict) or body.get("apiVersion") not in VERSIONS:
        notes.append(Note(label, "apiVersion", f"not taken: it is none of {', '.join(VERSIONS)}"))
        return ()
    kind = str(body.get("kind", ""))
    slo = _Slo(f"{label} {kind}", body, notes)
    try:
        if kind != "SLO":
            _other(slo, kind)
            return ()
        return _objectives(slo, world)
    except _RefusedError as refused:
        path, reason = refused.args
        slo.note(path, f"not taken: {reason}")
        return ()


def _other(slo: _Slo, kind: str) -> None:
    """Note a document of another kind, unless it is one that our export writes."""
    name = slo.table("metadata").get("name")
    ours = slo.said("rule") or slo.said("made")
    if not ours:
        slo.note(f"{kind or 'kind'} {name}", f"not taken: {KINDS.get(kind, 'this kind is not known')}")


def _objectives(slo: _Slo, world: Inventory) -> list[Objective]:
    name = slo.table("metadata").get("name")
    if not isinstance(name, str) or not IDENT.fullmatch(name):
        raise _RefusedError("metadata.name", f"{name!r} is not an id: use 1 to 63 of a-z, 0-9 and -")
    slo.label = f"{slo.label} {name}"
    _note_rest(slo)
    goals = _goals(slo)
    found = [_objective(slo, _numbered(name, at), goal, world) for at, goal in enumerate(goals, start=1)]
    return [one for one in found if _fits(slo, one, world)]


def _numbered(name: str, at: int) -> str:
    return name if at == 1 else f"{name}-{at}"


def _objective(slo: _Slo, name: str, goal: float, world: Inventory) -> Objective:
    scope = _scope(slo, world)
    sli = cast("Sli", slo.said("sli") or "availability")
    names = _names(slo)
    period, days = _period(slo, world)
    return Objective(
        id=name,
        name_vi=names[0],
        name_en=names[1],
        scope=scope,
        sli=sli,
        goal=goal,
        days=days,
        clock="open" if (slo.said("clock") or default_clock(scope)) == "open" else "wall",
        threshold_ms=_threshold(slo),
        period=period,
        unknown=cast("Policy", slo.said("unknown") or default_policy(sli)),
        alert=bool(slo.table("spec").get("alertPolicies")),
    )


def _scope(slo: _Slo, world: Inventory) -> str:
    """Return the scope of our annotation; else the digital system that the service names."""
    if said := slo.said("scope"):
        return said
    spec = slo.table("spec")
    service = spec.get("service") or spec.get("serviceRef")
    if service not in world.systems:
        remedy = "name a declared system, or add the annotation motcua/scope"
        raise _RefusedError("spec.service", f"no system {service!r} is declared; {remedy}")
    return f"system:{service}"


def _names(slo: _Slo) -> tuple[str, str]:
    metadata = slo.table("metadata")
    english = slo.said("name-en") or str(metadata.get("displayName") or metadata["name"])
    vietnamese = slo.said("name-vi")
    if not vietnamese:
        slo.note("metadata.displayName", "there is no Vietnamese name: the English one stands in")
    return vietnamese or english, english


def _threshold(slo: _Slo) -> int:
    text = slo.said("threshold-ms") or "0"
    if not re.fullmatch(r"\d{1,8}", text):
        raise _RefusedError("metadata.annotations.motcua/threshold-ms", f"{text!r} is not a whole number of ms")
    return int(text)


def _goals(slo: _Slo) -> list[float]:
    listed = slo.table("spec").get("objectives")
    if not isinstance(listed, list) or not listed:
        raise _RefusedError("spec.objectives", "there is none")
    return [_goal(slo, _mapping(one, f"spec.objectives[{at}]"), at) for at, one in enumerate(listed)]


def _goal(slo: _Slo, one: Mapping[str, object], at: int) -> float:
    place = f"spec.objectives[{at}]"
    for key in one:
        if key not in ("displayName", "target", "targetPercent"):
            slo.note(f"{place}.{key}", REASONS.get(key, "has no counterpart here"))
    target, percent = one.get("target"), one.get("targetPercent")
    if _is_number(target):
        return float(cast("float", target))
    if _is_number(percent):
        return round(float(cast("float", percent)) / 100, 12)
    raise _RefusedError(f"{place}.target", f"{target!r} is not a number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _period(slo: _Slo, world: Inventory) -> tuple[Period, int]:
    listed = slo.table("spec").get("timeWindow")
    if not isinstance(listed, list) or len(listed) != 1:
        raise _RefusedError("spec.timeWindow", "there must be exactly one")
    window = _mapping(listed[0], "spec.timeWindow[0]")
    text, aligned = str(window.get("duration", "")), window.get("calendar")
    if aligned is None:
        return "rolling", _days(text)
    if text not in PERIODS:
        known = ", ".join(PERIODS)
        raise _RefusedError("spec.timeWindow[0].duration", f"{text!r} does not fit a calendar: use {known}")
    _note_calendar(slo, _mapping(aligned, "spec.timeWindow[0].calendar"), world)
    return PERIODS[text], LONGEST[PERIODS[text]]


def _days(text: str) -> int:
    """Return a rolling window's days; a month has no fixed length and belongs to a calendar."""
    found = _ROLLING.fullmatch(text)
    hours = int(found[1]) * _HOURS[found[2]] if found else 0
    if not hours or hours % 24:
        reason = f"{text!r} is no whole number of days: write 28d, or a calendar for 1M"
        raise _RefusedError("spec.timeWindow[0].duration", reason)
    return hours // 24


def _note_calendar(slo: _Slo, given: Mapping[str, object], world: Inventory) -> None:
    place = "spec.timeWindow[0].calendar"
    if given.get("timeZone", world.zone.key) != world.zone.key:
        slo.note(f"{place}.timeZone", f"periods begin at midnight in {world.zone.key}")
    if not re.search(r"(-01|-01-01|)[ T]00:00(:00)?Z?$", str(given.get("startTime", " 00:00"))):
        slo.note(f"{place}.startTime", "periods begin with the calendar's own day, Monday, month, quarter or year")


def _note_rest(slo: _Slo) -> None:
    """Note every key that nothing here is made of."""
    for key in slo.body:
        if key not in ROOT:
            slo.note(key, "has no counterpart here")
    for key in slo.table("metadata"):
        if key not in METADATA:
            slo.note(f"metadata.{key}", "has no counterpart here")
    _note_marks(slo)
    own = bool(slo.said("sli"))
    for key in slo.table("spec"):
        path = f"spec.{key}"
        if key not in SPEC and not (own and path in REASONS):
            slo.note(path, REASONS.get(path, "has no counterpart here"))
    method = slo.table("spec").get("budgetingMethod", "Occurrences")
    if method != "Occurrences":
        slo.note("spec.budgetingMethod", f"{method}: {SLICES}")


def _note_marks(slo: _Slo) -> None:
    for place in ("annotations", "labels"):
        for key in _mapping(slo.table("metadata").get(place) or {}, f"metadata.{place}"):
            if not str(key).startswith(MARK):
                slo.note(f"metadata.{place}.{key}", "has no counterpart here")


def _fits(slo: _Slo, one: Objective, world: Inventory) -> bool:
    """Check an objective as the inventory will; its faults are notes."""
    text, faults = toml([one]), Faults()
    objectives(Document("objectives.toml", tomllib.loads(text), locate(text), faults), world)
    for fault in faults:
        slo.note(f"{one.id}: {fault.field}", f"not taken: {fault.problem}; {fault.remedy}")
    return not faults


def _mapping(value: object, path: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise _RefusedError(path, "is not a table")
