"""Imports OpenSLO documents (plain values, from YAML) as objectives and notes each part that it does not import.

Nothing is dropped silently: a part without a counterpart here becomes a note. It must not read files or use YAML.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from telemetry.core.inventory import Objective
from telemetry.core.reserved_ids import RESERVED_IDS
from telemetry.core.scope import Scope
from telemetry.inventory.files import TomlDocument
from telemetry.inventory.objectives import PERIOD_MAX_DAYS, build_objectives, default_clock, default_policy
from telemetry.inventory.openslo import ANNOTATION_PREFIX, PERIOD_DURATIONS, to_toml
from telemetry.inventory.record import IDENTIFIER, Faults
from telemetry.toml_lines import locate_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.inventory import Inventory, ObjectivePeriod, ObjectiveUnknownPolicy, SliKind

NO_COUNTERPART = "has no counterpart here"
OWN_INDICATOR = "Motcua's own telemetry is the indicator, its query is not used"
NO_SLICES = "every second counts by itself, slices are not counted"
REASONS_BY_PATH = {
    "spec.indicator": OWN_INDICATOR, "spec.indicatorRef": OWN_INDICATOR, "spec.sli": OWN_INDICATOR,
    "spec.sliRef": OWN_INDICATOR,
    "timeSliceTarget": NO_SLICES, "timeSliceWindow": NO_SLICES,
    "ratioMetrics": OWN_INDICATOR,
    "op": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
    "value": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
}  # fmt: skip
UNUSED_SPEC_KEYS = {
    "description": "objectives have names, no description",
    "alertPolicies": "alerts use Motcua's burn-rate rules",
}
ROOT_KEYS = ("apiVersion", "kind", "metadata", "spec")
METADATA_KEYS = ("name", "displayName", "annotations", "labels")
SPEC_KEYS = ("description", "service", "serviceRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies")
WINDOW_KEYS = ("duration", "isRolling", "calendar")
_EXCERPT = reprlib.Repr()
_EXCERPT.maxlevel, _EXCERPT.maxlist, _EXCERPT.maxdict, _EXCERPT.maxtuple, _EXCERPT.maxset = 2, 3, 3, 3, 3
_EXCERPT.maxstring = 80
ALPHA_VERSION = "openslo/v1alpha"
API_VERSIONS = ("openslo/v1", ALPHA_VERSION, "openslo.com/v2alpha")
ALPHA_UNITS = {"Hour": "h", "Day": "d", "Week": "w", "Month": "M", "Quarter": "Q", "Year": "Y"}
"""How a unit of `timeWindows` in v1alpha is written in a duration of v1."""
PERIODS_BY_DURATION: Mapping[str, ObjectivePeriod] = {text: period for period, text in PERIOD_DURATIONS.items()}
OTHER_KINDS = {
    "AlertPolicy": "alerts use Motcua's burn-rate rules, by clock and period",
    "AlertCondition": "alerts use Motcua's burn-rate rules, by clock and period",
    "AlertNotificationTarget": "alerts go to Alertmanager",
    "DataSource": "figures come from the store's totals",
    "SLI": OWN_INDICATOR,
    "Service": "scopes come from the inventory",
}
_ROLLING_DURATION = re.compile(r"([1-9]\d{0,4})([hdw])")
_UNIT_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class ImportNote:
    """A part that was not imported unchanged: the document, the path in it, and why."""

    document: str
    path: str
    reason: str


class OpenSloError(Exception):
    """A document that cannot be imported: the path in it and why."""


@dataclass(slots=True)
class SloDocument:
    """One SLO document being read."""

    label: str
    body: Mapping[str, object]
    notes: list[ImportNote] = field(default_factory=list)

    def add_note(self, path: str, reason: str) -> None:
        """Add a note on this document."""
        self.notes.append(ImportNote(self.label, path, reason))

    def table(self, key: str) -> Mapping[str, object]:
        """Return one of the document's tables, empty when there is none; raises OpenSloError."""
        return require_mapping(self.body.get(key, {}), key)

    def annotation(self, key: str) -> str:
        """Return one of the annotations (or labels) under `motcua/`, empty when there is none."""
        metadata = self.table("metadata")
        sections = (require_mapping(metadata.get(name) or {}, f"metadata.{name}") for name in ("annotations", "labels"))
        name = ANNOTATION_PREFIX + key
        return next((as_text(section[name]) for section in sections if name in section), "")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The objectives that were read, in order, each with its source document, and all notes."""

    objectives: tuple[tuple[str, Objective], ...]
    notes: tuple[ImportNote, ...]


def import_documents(documents: Iterable[tuple[str, object]], inventory: Inventory) -> ImportResult:
    """Read documents, each with a label such as `slo.yaml:12`; what cannot be imported becomes a note."""
    imported: dict[str, tuple[str, Objective]] = {}
    notes: list[ImportNote] = []
    for label, body in documents:
        for objective in _read_document(label, body, inventory, notes):
            if objective.id in imported:
                reason = f"not imported: {objective.id} is already in {imported[objective.id][0]}"
                notes.append(ImportNote(label, "metadata.name", reason))
            imported.setdefault(objective.id, (label, objective))
    return ImportResult(tuple(imported.values()), tuple(notes))


def _read_document(label: str, body: object, inventory: Inventory, notes: list[ImportNote]) -> Sequence[Objective]:
    if not isinstance(body, dict) or body.get("apiVersion") not in API_VERSIONS:
        notes.append(ImportNote(label, "apiVersion", f"not imported: it is none of {', '.join(API_VERSIONS)}"))
        return ()
    kind = as_text(body.get("kind", ""))
    if kind == "SLO" and body["apiVersion"] == ALPHA_VERSION:
        body = _from_alpha(body)
    slo = SloDocument(f"{label} {kind}", body, notes)
    try:
        if kind != "SLO":
            _note_other_kind(slo, kind)
            return ()
        return _read_objectives(slo, inventory)
    except OpenSloError as error:
        path, reason = error.args
        slo.add_note(path, f"not imported: {reason}")
        return ()


def _from_alpha(body: Mapping[str, object]) -> dict[str, object]:
    """Return an SLO of v1alpha with its time windows as v1 writes them; the rest stays as it is."""
    spec = body.get("spec")
    windows = spec.get("timeWindows") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(windows, list):
        return dict(body)
    converted = []
    for window in windows:
        table = dict(window) if isinstance(window, dict) else {}
        count, unit = table.pop("count", 1), as_text(table.pop("unit", ""))
        converted.append({**table, "duration": f"{as_text(count)}{ALPHA_UNITS.get(unit, unit)}"})
    others = {key: value for key, value in spec.items() if key != "timeWindows"}
    return {**body, "spec": {**others, "timeWindow": converted}}


def _note_other_kind(slo: SloDocument, kind: str) -> None:
    """Note a document of another kind, unless the export made it."""
    path = f"{kind or 'kind'} {as_text(slo.table('metadata').get('name'))}"
    if not (slo.annotation("rule") or slo.annotation("made")):
        slo.add_note(path, f"not imported: {OTHER_KINDS.get(kind, 'this kind is not known')}")


def _read_objectives(slo: SloDocument, inventory: Inventory) -> list[Objective]:
    name = slo.table("metadata").get("name")
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise OpenSloError("metadata.name", f"{excerpt(name)} is not an id: use 1 to 63 of a-z, 0-9 and -")
    if name in RESERVED_IDS:
        raise OpenSloError("metadata.name", f"{name!r} is reserved: choose another name")
    slo.label = f"{slo.label} {name}"
    _note_unknown_keys(slo)
    goals = _read_goals(slo)
    ids = [name, *(f"{name}-{at}" for at in range(2, len(goals) + 1))]
    candidates = [_read_objective(slo, ident, goal, inventory) for ident, goal in zip(ids, goals, strict=True)]
    return [objective for objective in candidates if _passes_inventory_checks(slo, objective, inventory)]


def _read_objective(slo: SloDocument, name: str, goal: float, inventory: Inventory) -> Objective:
    scope = _read_scope(slo, inventory)
    sli = cast("SliKind", slo.annotation("sli") or "availability")
    names = _read_names(slo)
    period, days = _read_period(slo, inventory)
    return Objective(
        id=name,
        name_vi=names[0],
        name_en=names[1],
        scope=scope,
        sli=sli,
        goal=goal,
        days=days,
        clock="open" if (slo.annotation("clock") or default_clock(scope)) == "open" else "wall",
        threshold_ms=_read_threshold_ms(slo),
        period=period,
        unknown=cast("ObjectiveUnknownPolicy", slo.annotation("unknown") or default_policy(sli)),
        alert=bool(slo.table("spec").get("alertPolicies")),
    )


def _read_scope(slo: SloDocument, inventory: Inventory) -> str:
    """Return the scope of the annotation; else the digital system that the service names."""
    if scope := slo.annotation("scope"):
        return scope
    spec = slo.table("spec")
    service = spec.get("service") or spec.get("serviceRef")
    if not isinstance(service, str) or service not in inventory.systems:
        remedy = "name a declared system, or add the annotation motcua/scope"
        raise OpenSloError("spec.service", f"no system {excerpt(service)} is declared; {remedy}")
    return str(Scope.system(service))


def _read_names(slo: SloDocument) -> tuple[str, str]:
    metadata = slo.table("metadata")
    english = slo.annotation("name-en") or as_text(metadata.get("displayName") or metadata["name"])
    vietnamese = slo.annotation("name-vi")
    if not vietnamese:
        slo.add_note("metadata.displayName", "there is no Vietnamese name: the English one is used")
    return vietnamese or english, english


def _read_threshold_ms(slo: SloDocument) -> int:
    text = slo.annotation("threshold-ms") or "0"
    if not re.fullmatch(r"\d{1,8}", text):
        raise OpenSloError("metadata.annotations.motcua/threshold-ms", f"{text!r} is not a whole number of ms")
    return int(text)


def _read_goals(slo: SloDocument) -> list[float]:
    entries = slo.table("spec").get("objectives")
    if not isinstance(entries, list) or not entries:
        raise OpenSloError("spec.objectives", "there is none")
    return [_read_goal(slo, require_mapping(entry, f"spec.objectives[{at}]"), at) for at, entry in enumerate(entries)]


def _read_goal(slo: SloDocument, entry: Mapping[str, object], at: int) -> float:
    path = f"spec.objectives[{at}]"
    for key in entry:
        if key not in ("displayName", "target", "targetPercent"):
            slo.add_note(f"{path}.{as_text(key)}", REASONS_BY_PATH.get(key, NO_COUNTERPART))
    target, percent = entry.get("target"), entry.get("targetPercent")
    if _is_goal_number(target):
        return float(cast("float", target))
    if _is_goal_number(percent):
        return round(float(cast("float", percent)) / 100, 12)
    value = target if target is not None else percent
    raise OpenSloError(f"{path}.target", f"{excerpt(value)} is not a number between 0 and 1 (or 100 percent)")


def _is_goal_number(value: object) -> bool:
    """Return whether it is a number that can be a goal; not nan, nor one too large for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _read_period(slo: SloDocument, inventory: Inventory) -> tuple[ObjectivePeriod, int]:
    windows = slo.table("spec").get("timeWindow")
    if not isinstance(windows, list) or len(windows) != 1:
        raise OpenSloError("spec.timeWindow", "there must be exactly one")
    window = require_mapping(windows[0], "spec.timeWindow[0]")
    text, aligned = as_text(window.get("duration", "")), window.get("calendar")
    _note_window(slo, window)
    if aligned is None:
        return "rolling", _parse_days(text)
    if text not in PERIODS_BY_DURATION:
        allowed = ", ".join(PERIODS_BY_DURATION)
        raise OpenSloError("spec.timeWindow[0].duration", f"{text!r} does not fit a calendar: use {allowed}")
    _note_calendar(slo, require_mapping(aligned, "spec.timeWindow[0].calendar"), inventory)
    return PERIODS_BY_DURATION[text], PERIOD_MAX_DAYS[PERIODS_BY_DURATION[text]]


def _parse_days(text: str) -> int:
    """Return a rolling window's days; a month has no fixed length and needs a calendar."""
    match = _ROLLING_DURATION.fullmatch(text)
    hours = int(match[1]) * _UNIT_HOURS[match[2]] if match else 0
    if not hours or hours % 24:
        reason = f"{text!r} is no whole number of days: write 28d, or a calendar for 1M"
        raise OpenSloError("spec.timeWindow[0].duration", reason)
    return hours // 24


def _passes_inventory_checks(slo: SloDocument, objective: Objective, inventory: Inventory) -> bool:
    """Check an objective as the inventory does; its faults become notes."""
    text, faults = to_toml([objective]), Faults()
    build_objectives(TomlDocument("objectives.toml", tomllib.loads(text), locate_keys(text), faults), inventory)
    for fault in faults:
        slo.add_note(f"{objective.id}: {fault.field}", f"not imported: {fault.problem}; {fault.remedy}")
    return not faults


def _note_keys(slo: SloDocument, path: str, keys: Iterable[object], known: Sequence[str]) -> None:
    for key in keys:
        if key not in known:
            slo.add_note(f"{path}{as_text(key)}", NO_COUNTERPART)


def _note_window(slo: SloDocument, window: Mapping[str, object]) -> None:
    """Note the window's other keys, and an `isRolling` that contradicts its calendar."""
    _note_keys(slo, "spec.timeWindow[0].", window, WINDOW_KEYS)
    aligned = window.get("calendar") is not None
    if "isRolling" in window and window["isRolling"] is aligned:
        reason = "a window with a calendar is aligned to it, one without is rolling"
        slo.add_note("spec.timeWindow[0].isRolling", reason)


def _note_calendar(slo: SloDocument, calendar: Mapping[str, object], inventory: Inventory) -> None:
    """Note a calendar's start and zone where they differ from the inventory's periods."""
    path = "spec.timeWindow[0].calendar"
    _note_keys(slo, f"{path}.", calendar, ("timeZone", "startTime"))
    if calendar.get("timeZone", inventory.zone.key) != inventory.zone.key:
        slo.add_note(f"{path}.timeZone", f"periods begin at midnight in {inventory.zone.key}")
    if not re.search(r"(-01|-01-01|)[ T]00:00(:00)?Z?$", as_text(calendar.get("startTime", " 00:00"))):
        slo.add_note(f"{path}.startTime", "periods begin at the start of a day, week (Monday), month, quarter or year")


def _note_unknown_keys(slo: SloDocument) -> None:
    """Note every key that is not imported."""
    metadata = slo.table("metadata")
    _note_keys(slo, "", slo.body, ROOT_KEYS)
    _note_keys(slo, "metadata.", metadata, METADATA_KEYS)
    for section in ("annotations", "labels"):
        keys = require_mapping(metadata.get(section) or {}, f"metadata.{section}")
        others = [key for key in keys if not str(key).startswith(ANNOTATION_PREFIX)]
        _note_keys(slo, f"metadata.{section}.", others, ())
    spec, own = slo.table("spec"), bool(slo.annotation("sli"))
    for key in spec:
        path = f"spec.{as_text(key)}"
        if key not in SPEC_KEYS and not (own and path in REASONS_BY_PATH):
            slo.add_note(path, REASONS_BY_PATH.get(path, NO_COUNTERPART))
        elif key in UNUSED_SPEC_KEYS and not own:
            slo.add_note(path, UNUSED_SPEC_KEYS[key])
    method = spec.get("budgetingMethod", "Occurrences")
    if method != "Occurrences":
        slo.add_note("spec.budgetingMethod", f"{as_text(method)}: {NO_SLICES}")


def as_text(value: object) -> str:
    """Return a plain value as text, a table or list shortened: YAML aliases may make it endless."""
    return excerpt(value) if isinstance(value, dict | list | tuple | set | int) else str(value)


def excerpt(value: object) -> str:
    """Return a value's representation, shortened."""
    try:
        return _EXCERPT.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a very long number"


def require_mapping(value: object, path: str) -> Mapping[str, object]:
    """Return a table; raises OpenSloError when it is none."""
    if isinstance(value, dict):
        return value
    raise OpenSloError(path, "is not a table")
