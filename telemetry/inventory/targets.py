"""Builds what the province aims at and counts: targets and counts of procedures; objectives have their own module.

Faults go to the records; it must not read files and must not compute any figure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telemetry.core.inventory import ProcedureCount, Target
from telemetry.inventory.build import index_by
from telemetry.inventory.objectives import build_objectives
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

__all__ = ("PROCEDURE_KEYS", "build_objectives", "build_procedures", "build_targets")

TARGET_UNITS = ("s", "ratio", "rank", "milestone", "count")
ONLINE_LEVELS = ("all", "below-L3", "L3", "L4", "L3-L4", "partial", "full")
MEASURES = ("procedures", "with_dossiers", "dossiers_online", "on_national_portal")
TARGET_KEYS = AllowedKeys(("id", "name_vi", "name_en", "value", "unit", "by"))
PROCEDURE_KEYS = AllowedKeys(("id", "online_level", "measure", "count", "from", "to"))
_TARGET_ID = re.compile(r"[A-Za-z0-9_-]{1,63}")


def build_targets(doc: TomlDocument) -> tuple[Target, ...]:
    """Build the published targets; one id may have several dates, each once."""
    doc.record(AllowedKeys((), ("target",)))
    records = doc.records("target", TARGET_KEYS)
    built = tuple(_build_target(record) for record in records)
    first: dict[tuple[str, object], int] = {}
    for record, target in zip(records, built, strict=True):
        line = first.setdefault((target.id, target.by), record.line)
        if line != record.line:
            record.add_fault("by", f"{target.id} already has {target.by} on line {line}", "give it another date")
    return built


def _build_target(r: Record) -> Target:
    ident = r.text("id")
    if ident and not _TARGET_ID.fullmatch(ident):
        r.add_fault("id", f"{ident!r} is not a target's id", "use letters, digits, _ and -")
    unit = r.choice("unit", TARGET_UNITS)
    value = r.real("value", 1.0 if unit == "ratio" else 1e9)
    return Target(ident, r.text("name_vi"), r.text("name_en"), value, unit, r.day("by"))


def build_procedures(records: list[Record]) -> tuple[ProcedureCount, ...]:
    """Build the published counts of procedures."""
    return tuple(index_by(records, "id", _build_procedure).values())


def _build_procedure(r: Record) -> ProcedureCount:
    first, last = r.day("from"), r.day("to")
    if last < first:
        r.add_fault("to", f"{last} is before {first}", "write the last day of the period")
    level, measure = r.choice("online_level", ONLINE_LEVELS), r.choice("measure", MEASURES)
    return ProcedureCount(r.identifier("id"), level, measure, r.integer("count", 0, 10**9), first, last)
