"""Builds what the province aims at and counts: targets and counts of procedures; objectives have their own module.

Faults go to the records; it must not read files and must not compute any figure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telemetry.core.inventory import ProcedureCount, Target
from telemetry.inventory.build import keyed
from telemetry.inventory.objectives import objectives
from telemetry.inventory.record import Keys

if TYPE_CHECKING:
    from telemetry.inventory.files import Document
    from telemetry.inventory.record import Record

__all__ = ("PROCEDURE", "objectives", "procedures", "targets")

UNITS = ("s", "ratio", "rank", "milestone", "count")
ONLINE_LEVELS = ("all", "below-L3", "L3", "L4", "L3-L4", "partial", "full")
MEASURES = ("procedures", "with_dossiers", "dossiers_online", "on_national_portal")
TARGET = Keys(("id", "name_vi", "name_en", "value", "unit", "by"))
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


def procedures(records: list[Record]) -> tuple[ProcedureCount, ...]:
    """Build the published counts of procedures."""
    return tuple(keyed(records, "id", _procedure).values())


def _procedure(r: Record) -> ProcedureCount:
    first, last = r.day("from"), r.day("to")
    if last < first:
        r.fault("to", f"{last} is before {first}", "write the last day of the period")
    level, measure = r.choice("online_level", ONLINE_LEVELS), r.choice("measure", MEASURES)
    return ProcedureCount(r.ident("id"), level, measure, r.number("count", 0, 10**9), first, last)
