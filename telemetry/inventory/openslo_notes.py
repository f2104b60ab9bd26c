"""Tells what an OpenSLO document says that has no counterpart here; it must not make objectives."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.inventory.openslo import ANNOTATION_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import Inventory

NO_COUNTERPART = "has no counterpart here"
OWN_INDICATOR = "our own telemetry is the indicator, its query is not used"
NO_SLICES = "every second counts by itself here, slices are not counted"
REASONS_BY_PATH = {
    "spec.indicator": OWN_INDICATOR, "spec.indicatorRef": OWN_INDICATOR, "spec.sli": OWN_INDICATOR,
    "spec.sliRef": OWN_INDICATOR,
    "timeSliceTarget": NO_SLICES, "timeSliceWindow": NO_SLICES,
    "op": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
    "value": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
}  # fmt: skip
UNUSED_SPEC_KEYS = {
    "description": "objectives have names, no description",
    "alertPolicies": "there are alerts, by our own burn-rate rules",
}
ROOT_KEYS = ("apiVersion", "kind", "metadata", "spec")
METADATA_KEYS = ("name", "displayName", "annotations", "labels")
SPEC_KEYS = ("description", "service", "serviceRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies")
WINDOW_KEYS = ("duration", "isRolling", "calendar")


_EXCERPT = reprlib.Repr()
_EXCERPT.maxlevel, _EXCERPT.maxlist, _EXCERPT.maxdict, _EXCERPT.maxtuple, _EXCERPT.maxset = 2, 3, 3, 3, 3
_EXCERPT.maxstring = 80


@dataclass(frozen=True, slots=True)
class ImportNote:
    """What was not taken as it stands: where in which document, and why."""

    document: str
    path: str
    reason: str


class OpenSloError(Exception):
    """A document that cannot be taken: its path and why."""


@dataclass(slots=True)
class SloDocument:
    """One SLO document being read."""

    label: str
    body: Mapping[str, object]
    notes: list[ImportNote] = field(default_factory=list)

    def add_note(self, path: str, reason: str) -> None:
        """Keep a note on this document."""
        self.notes.append(ImportNote(self.label, path, reason))

    def table(self, key: str) -> Mapping[str, object]:
        """Return one of the document's tables, empty when there is none; raises RefusedError."""
        return require_mapping(self.body.get(key, {}), key)

    def annotation(self, key: str) -> str:
        """Return one of our own annotations (or labels), empty when there is none."""
        metadata = self.table("metadata")
        sections = (require_mapping(metadata.get(name) or {}, f"metadata.{name}") for name in ("annotations", "labels"))
        return next(
            (as_text(section[ANNOTATION_PREFIX + key]) for section in sections if ANNOTATION_PREFIX + key in section),
            "",
        )


def as_text(value: object) -> str:
    """Return a plain value as text; of a table or list only its beginning: aliases may make it endless."""
    return excerpt(value) if isinstance(value, dict | list | tuple | set | int) else str(value)


def excerpt(value: object) -> str:
    """Return a value as it is written, cut short."""
    try:
        return _EXCERPT.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number without end"


def require_mapping(value: object, path: str) -> Mapping[str, object]:
    """Return a table; raises RefusedError when it is none."""
    if isinstance(value, dict):
        return value
    raise OpenSloError(path, "is not a table")


def note_window(slo: SloDocument, window: Mapping[str, object]) -> None:
    """Note what else is said of the window, and what contradicts its having a calendar or none."""
    for key in window:
        if key not in WINDOW_KEYS:
            slo.add_note(f"spec.timeWindow[0].{as_text(key)}", NO_COUNTERPART)
    aligned = window.get("calendar") is not None
    if "isRolling" in window and window["isRolling"] is aligned:
        slo.add_note(
            "spec.timeWindow[0].isRolling", "a window with a calendar is aligned to it, one without is rolling"
        )


def note_calendar(slo: SloDocument, calendar: Mapping[str, object], inventory: Inventory) -> None:
    """Note what of a calendar's beginning and zone is not as ours is."""
    path = "spec.timeWindow[0].calendar"
    for key in calendar:
        if key not in ("timeZone", "startTime"):
            slo.add_note(f"{path}.{as_text(key)}", NO_COUNTERPART)
    if calendar.get("timeZone", inventory.zone.key) != inventory.zone.key:
        slo.add_note(f"{path}.timeZone", f"periods begin at midnight in {inventory.zone.key}")
    if not re.search(r"(-01|-01-01|)[ T]00:00(:00)?Z?$", as_text(calendar.get("startTime", " 00:00"))):
        slo.add_note(f"{path}.startTime", "periods begin with the calendar's own day, Monday, month, quarter or year")


def note_unknown_keys(slo: SloDocument) -> None:
    """Note every key that nothing here is made of."""
    for key in slo.body:
        if key not in ROOT_KEYS:
            slo.add_note(as_text(key), NO_COUNTERPART)
    for key in slo.table("metadata"):
        if key not in METADATA_KEYS:
            slo.add_note(f"metadata.{as_text(key)}", NO_COUNTERPART)
    _note_annotations(slo)
    _note_spec(slo)


def _note_spec(slo: SloDocument) -> None:
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


def _note_annotations(slo: SloDocument) -> None:
    for section in ("annotations", "labels"):
        for key in require_mapping(slo.table("metadata").get(section) or {}, f"metadata.{section}"):
            if not str(key).startswith(ANNOTATION_PREFIX):
                slo.add_note(f"metadata.{section}.{as_text(key)}", NO_COUNTERPART)
