"""Tells what an OpenSLO document says that has no counterpart here; it must not make objectives."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.inventory.openslo import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import Inventory

NOTHING = "has no counterpart here"
OWN = "our own telemetry is the indicator, its query is not used"
SLICES = "every second counts by itself here, slices are not counted"
REASONS = {
    "spec.indicator": OWN, "spec.indicatorRef": OWN, "spec.sli": OWN, "spec.sliRef": OWN,
    "timeSliceTarget": SLICES, "timeSliceWindow": SLICES,
    "op": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
    "value": "a threshold has no unit in OpenSLO: use the annotation motcua/threshold-ms",
}  # fmt: skip
UNUSED = {
    "description": "objectives have names, no description",
    "alertPolicies": "there are alerts, by our own burn-rate rules",
}
ROOT = ("apiVersion", "kind", "metadata", "spec")
METADATA = ("name", "displayName", "annotations", "labels")
SPEC = ("description", "service", "serviceRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies")
WINDOW = ("duration", "isRolling", "calendar")


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxtuple, _SHORT.maxset = 2, 3, 3, 3, 3
_SHORT.maxstring = 80


@dataclass(frozen=True, slots=True)
class Note:
    """What was not taken as it stands: where in which document, and why."""

    document: str
    path: str
    reason: str


class RefusedError(Exception):
    """A document that cannot be taken: its path and why."""


@dataclass(slots=True)
class Slo:
    """One SLO document being read."""

    label: str
    body: Mapping[str, object]
    notes: list[Note] = field(default_factory=list)

    def note(self, path: str, reason: str) -> None:
        """Keep a note on this document."""
        self.notes.append(Note(self.label, path, reason))

    def table(self, key: str) -> Mapping[str, object]:
        """Return one of the document's tables, empty when there is none; raises RefusedError."""
        return mapping(self.body.get(key, {}), key)

    def said(self, key: str) -> str:
        """Return one of our own annotations (or labels), empty when there is none."""
        metadata = self.table("metadata")
        found = (mapping(metadata.get(place) or {}, f"metadata.{place}") for place in ("annotations", "labels"))
        return next((text_of(one[MARK + key]) for one in found if MARK + key in one), "")


def text_of(value: object) -> str:
    """Return a plain value as text; of a table or list only its beginning: aliases may make it endless."""
    return shown(value) if isinstance(value, dict | list | tuple | set | int) else str(value)


def shown(value: object) -> str:
    """Return a value as it is written, cut short."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number without end"


def mapping(value: object, path: str) -> Mapping[str, object]:
    """Return a table; raises RefusedError when it is none."""
    if isinstance(value, dict):
        return value
    raise RefusedError(path, "is not a table")


def note_window(slo: Slo, window: Mapping[str, object]) -> None:
    """Note what else is said of the window, and what contradicts its having a calendar or none."""
    for key in window:
        if key not in WINDOW:
            slo.note(f"spec.timeWindow[0].{text_of(key)}", NOTHING)
    aligned = window.get("calendar") is not None
    if "isRolling" in window and window["isRolling"] is aligned:
        slo.note("spec.timeWindow[0].isRolling", "a window with a calendar is aligned to it, one without is rolling")


def note_calendar(slo: Slo, given: Mapping[str, object], world: Inventory) -> None:
    """Note what of a calendar's beginning and zone is not as ours is."""
    place = "spec.timeWindow[0].calendar"
    for key in given:
        if key not in ("timeZone", "startTime"):
            slo.note(f"{place}.{text_of(key)}", NOTHING)
    if given.get("timeZone", world.zone.key) != world.zone.key:
        slo.note(f"{place}.timeZone", f"periods begin at midnight in {world.zone.key}")
    if not re.search(r"(-01|-01-01|)[ T]00:00(:00)?Z?$", text_of(given.get("startTime", " 00:00"))):
        slo.note(f"{place}.startTime", "periods begin with the calendar's own day, Monday, month, quarter or year")


def note_rest(slo: Slo) -> None:
    """Note every key that nothing here is made of."""
    for key in slo.body:
        if key not in ROOT:
            slo.note(text_of(key), NOTHING)
    for key in slo.table("metadata"):
        if key not in METADATA:
            slo.note(f"metadata.{text_of(key)}", NOTHING)
    _note_marks(slo)
    _note_spec(slo)


def _note_spec(slo: Slo) -> None:
    spec, own = slo.table("spec"), bool(slo.said("sli"))
    for key in spec:
        path = f"spec.{text_of(key)}"
        if key not in SPEC and not (own and path in REASONS):
            slo.note(path, REASONS.get(path, NOTHING))
        elif key in UNUSED and not own:
            slo.note(path, UNUSED[key])
    method = spec.get("budgetingMethod", "Occurrences")
    if method != "Occurrences":
        slo.note("spec.budgetingMethod", f"{text_of(method)}: {SLICES}")


def _note_marks(slo: Slo) -> None:
    for place in ("annotations", "labels"):
        for key in mapping(slo.table("metadata").get(place) or {}, f"metadata.{place}"):
            if not str(key).startswith(MARK):
                slo.note(f"metadata.{place}.{text_of(key)}", NOTHING)
