"""Builds what the province promised and published: targets, objectives and counts of procedures.

Faults go to the records; it must not read files and must not compute any figure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

from telemetry.core.inventory import Objective, ProcedureCount, Target
from telemetry.inventory.build import LEVELS, keyed
from telemetry.inventory.records import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.inventory import System
    from telemetry.inventory.files import Document
    from telemetry.inventory.records import Record

UNITS = ("s", "ratio", "rank", "milestone", "count")
ONLINE_LEVELS = ("all", "below-L3", "L3", "L4", "L3-L4", "partial", "full")
MEASURES = ("procedures", "with_dossiers", "dossiers_online", "on_national_portal")
SCOPES = ("centre", "system", *LEVELS)
TARGET = Keys(("id", "name_vi", "name_en", "value", "unit", "by"))
OBJECTIVE = Keys(("id", "name_vi", "name_en", "scope", "sli", "goal", "days"), ("clock", "threshold_s"))
PROCEDURE = Keys(("id", "online_level", "measure", "count", "from", "to"))
_ROW = re.compile(r"[A-Za-z0-9_-]{1,63}")


def targets(doc: Document) -> tuple[Target, ...]:
    """Build the published targets; one id may have several dates, each once."""
    doc.record(Keys((), ("target",)))
    records = doc.records("target", TARGET)
    found = tuple(_target(record) for record in records)
    first: dict[tuple[str, object], int] = {}
    for record, target in zip(records, found, strict=True):
        line = first.setdefault((target.id, target.by), record.line)
        if line != record.line:
            record.fault("by", f"{target.id} already has {target.by} on line {line}", "give it another date")
    return found


def _target(r: Record) -> Target:
    ident = r.text("id")
    if ident and not _ROW.fullmatch(ident):
        r.fault("id", f"{ident!r} is not a target's id", "use letters, digits, _ and -")
    unit = r.choice("unit", UNITS)
    value = r.real("value", 1.0 if unit == "ratio" else 1e9)
    return Target(ident, r.text("name_vi"), r.text("name_en"), value, unit, r.day("by"))


def objectives(doc: Document, known: Mapping[str, System]) -> tuple[Objective, ...]:
    """Build the service level objectives."""
    doc.record(Keys((), ("objective",)))
    return tuple(keyed(doc.records("objective", OBJECTIVE), "id", lambda r: _objective(r, known)).values())


def _objective(r: Record, known: Mapping[str, System]) -> Objective:
    sli = r.choice("sli", ("availability", "wait"))
    threshold = r.number("threshold_s", 0, 86_400, 0)
    if (sli == "wait") != (threshold > 0):
        r.fault("threshold_s", f"does not fit sli {sli}", "give it to wait objectives, and only to them")
    return Objective(
        id=r.ident("id"),
        name_vi=r.text("name_vi"),
        name_en=r.text("name_en"),
        scope=_scope(r, known),
        sli=cast("Literal['availability', 'wait']", sli),
        goal=r.real("goal", 1.0),
        days=r.number("days", 1, 366),
        clock=cast("Literal['open', 'wall']", r.choice("clock", ("open", "wall"), "open")),
        threshold_ms=1000 * threshold,
    )


def _scope(r: Record, known: Mapping[str, System]) -> str:
    scope = r.text("scope")
    if scope.startswith("system:"):
        r.refer("scope", scope.removeprefix("system:"), known, "system")
    elif scope and scope not in SCOPES:
        r.fault("scope", f"{scope!r} is not known", f"use {', '.join(SCOPES)} or system:ID")
    return scope


def procedures(records: list[Record]) -> tuple[ProcedureCount, ...]:
    """Build the published counts of procedures."""
    return tuple(keyed(records, "id", _procedure).values())


def _procedure(r: Record) -> ProcedureCount:
    first, last = r.day("from"), r.day("to")
    if last < first:
        r.fault("to", f"{last} is before {first}", "write the last day of the period")
    level, measure = r.choice("online_level", ONLINE_LEVELS), r.choice("measure", MEASURES)
    return ProcedureCount(r.ident("id"), level, measure, r.number("count", 0, 10**9), first, last)
