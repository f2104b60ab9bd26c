"""Reads OpenSLO documents (plain values, from YAML) as objectives and tells of each part what became of it.

Nothing is dropped silently: what has no counterpart here becomes a note. It must not read files or know YAML.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from telemetry.core.inventory import Objective
from telemetry.inventory.files import Document, locate
from telemetry.inventory.objectives import LONGEST, default_clock, default_policy, objectives
from telemetry.inventory.openslo import DURATIONS, toml
from telemetry.inventory.openslo_notes import (
    NOTHING,
    OWN,
    REASONS,
    Note,
    RefusedError,
    Slo,
    mapping,
    note_calendar,
    note_rest,
    note_window,
    shown,
    text_of,
)
from telemetry.inventory.record import IDENT, Faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.figures.accounting import Policy
    from telemetry.core.inventory import Inventory, Period, Sli

VERSIONS = ("openslo/v1", "openslo.com/v2alpha")
PERIODS: Mapping[str, Period] = {text: period for period, text in DURATIONS.items()}
KINDS = {
    "AlertPolicy": "the burn-rate rules are ours, by clock and period",
    "AlertCondition": "the burn-rate rules are ours, by clock and period",
    "AlertNotificationTarget": "alerts go to Alertmanager",
    "DataSource": "figures come from our own totals",
    "SLI": OWN,
    "Service": "scopes come from the inventory",
}
_ROLLING = re.compile(r"([1-9]\d{0,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class Taken:
    """The objectives that were read, in order, each with the document it came from, and all notes."""

    objectives: tuple[tuple[str, Objective], ...]
    notes: tuple[Note, ...]


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
    kind = text_of(body.get("kind", ""))
    slo = Slo(f"{label} {kind}", body, notes)
    try:
        if kind != "SLO":
            _other(slo, kind)
            return ()
        return _objectives(slo, world)
    except RefusedError as refused:
        path, reason = refused.args
        slo.note(path, f"not taken: {reason}")
        return ()


def _other(slo: Slo, kind: str) -> None:
    """Note a document of another kind, unless it is one that our export writes."""
    name = slo.table("metadata").get("name")
    ours = slo.said("rule") or slo.said("made")
    if not ours:
        slo.note(f"{kind or 'kind'} {text_of(name)}", f"not taken: {KINDS.get(kind, 'this kind is not known')}")


def _objectives(slo: Slo, world: Inventory) -> list[Objective]:
    name = slo.table("metadata").get("name")
    if not isinstance(name, str) or not IDENT.fullmatch(name):
        raise RefusedError("metadata.name", f"{shown(name)} is not an id: use 1 to 63 of a-z, 0-9 and -")
    slo.label = f"{slo.label} {name}"
    note_rest(slo)
    goals = _goals(slo)
    found = [_objective(slo, _numbered(name, at), goal, world) for at, goal in enumerate(goals, start=1)]
    return [one for one in found if _fits(slo, one, world)]


def _numbered(name: str, at: int) -> str:
    return name if at == 1 else f"{name}-{at}"


def _objective(slo: Slo, name: str, goal: float, world: Inventory) -> Objective:
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


def _scope(slo: Slo, world: Inventory) -> str:
    """Return the scope of our annotation; else the digital system that the service names."""
    if said := slo.said("scope"):
        return said
    spec = slo.table("spec")
    service = spec.get("service") or spec.get("serviceRef")
    if not isinstance(service, str) or service not in world.systems:
        remedy = "name a declared system, or add the annotation motcua/scope"
        raise RefusedError("spec.service", f"no system {shown(service)} is declared; {remedy}")
    return f"system:{service}"


def _names(slo: Slo) -> tuple[str, str]:
    metadata = slo.table("metadata")
    english = slo.said("name-en") or text_of(metadata.get("displayName") or metadata["name"])
    vietnamese = slo.said("name-vi")
    if not vietnamese:
        slo.note("metadata.displayName", "there is no Vietnamese name: the English one stands in")
    return vietnamese or english, english


def _threshold(slo: Slo) -> int:
    text = slo.said("threshold-ms") or "0"
    if not re.fullmatch(r"\d{1,8}", text):
        raise RefusedError("metadata.annotations.motcua/threshold-ms", f"{text!r} is not a whole number of ms")
    return int(text)


def _goals(slo: Slo) -> list[float]:
    listed = slo.table("spec").get("objectives")
    if not isinstance(listed, list) or not listed:
        raise RefusedError("spec.objectives", "there is none")
    return [_goal(slo, mapping(one, f"spec.objectives[{at}]"), at) for at, one in enumerate(listed)]


def _goal(slo: Slo, one: Mapping[str, object], at: int) -> float:
    place = f"spec.objectives[{at}]"
    for key in one:
        if key not in ("displayName", "target", "targetPercent"):
            slo.note(f"{place}.{text_of(key)}", REASONS.get(key, NOTHING))
    target, percent = one.get("target"), one.get("targetPercent")
    if _is_number(target):
        return float(cast("float", target))
    if _is_number(percent):
        return round(float(cast("float", percent)) / 100, 12)
    given = target if target is not None else percent
    raise RefusedError(f"{place}.target", f"{shown(given)} is not a number between 0 and 1 (or 100 percent)")


def _is_number(value: object) -> bool:
    """Tell whether it is a number that could be a goal; neither nan nor one that no float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _period(slo: Slo, world: Inventory) -> tuple[Period, int]:
    listed = slo.table("spec").get("timeWindow")
    if not isinstance(listed, list) or len(listed) != 1:
        raise RefusedError("spec.timeWindow", "there must be exactly one")
    window = mapping(listed[0], "spec.timeWindow[0]")
    text, aligned = text_of(window.get("duration", "")), window.get("calendar")
    note_window(slo, window)
    if aligned is None:
        return "rolling", _days(text)
    if text not in PERIODS:
        known = ", ".join(PERIODS)
        raise RefusedError("spec.timeWindow[0].duration", f"{text!r} does not fit a calendar: use {known}")
    note_calendar(slo, mapping(aligned, "spec.timeWindow[0].calendar"), world)
    return PERIODS[text], LONGEST[PERIODS[text]]


def _days(text: str) -> int:
    """Return a rolling window's days; a month has no fixed length and belongs to a calendar."""
    found = _ROLLING.fullmatch(text)
    hours = int(found[1]) * _HOURS[found[2]] if found else 0
    if not hours or hours % 24:
        reason = f"{text!r} is no whole number of days: write 28d, or a calendar for 1M"
        raise RefusedError("spec.timeWindow[0].duration", reason)
    return hours // 24


def _fits(slo: Slo, one: Objective, world: Inventory) -> bool:
    """Check an objective as the inventory will; its faults are notes."""
    text, faults = toml([one]), Faults()
    objectives(Document("objectives.toml", tomllib.loads(text), locate(text), faults), world)
    for fault in faults:
        slo.note(f"{one.id}: {fault.field}", f"not taken: {fault.problem}; {fault.remedy}")
    return not faults
