"""Builds targets, published counts, yearly indices and commitments, and checks that they are about known indicators.

Faults and warnings go to the records; it must not read files and must not measure anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar, get_args

from telemetry.core.inventory import Commitment, IndexFigure, OwnIndicator, ProcedureCount, Target, TargetStart
from telemetry.core.kpi.baseline import CURRENT_LEVELS, CURRENT_LEVELS_FROM, FORMER_LEVELS, FORMER_LEVELS_UNTIL
from telemetry.core.kpi.catalogue import (
    ADMINISTRATION_FIGURES,
    INDICATORS,
    OPERATION_FIGURES,
    all_indicators,
)
from telemetry.core.kpi.indicators import LEVELS, Strand
from telemetry.core.kpi.target_paths import TARGET_ALIASES, target_subject
from telemetry.core.kpi.yearly_indices import INDEX_IDS, INDEX_MAXIMA
from telemetry.inventory.build import SYSTEM_KINDS, index_by
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.inventory import AdministrativeUnit, Inventory
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.target_paths import TargetSubject
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

INDICES_FILE, COMMITMENTS_FILE = "indices.csv", "commitments.csv"
TARGET_UNITS = ("s", "ratio", "rank", "score", "milestone", "count")
ONLINE_LEVELS = ("all", "below-L3", "L3", "L4", "L3-L4", "partial", "full", "partial-full")
MEASURES = ("procedures", "with_dossiers", "dossiers_online", "on_national_portal")
INDICATOR_KEYS = AllowedKeys(
    ("id", "name_vi", "name_en", "strand", "owner", "numerator"), ("denominator", "formula", "direction")
)
_Row = TypeVar("_Row", Target, OwnIndicator)
STRANDS: tuple[str, ...] = get_args(Strand)
_INDICATOR_ID = re.compile(r"[A-Z]{1,8}-[0-9]{2}[a-z]?")
TARGET_KEYS = AllowedKeys(("id", "name_vi", "name_en", "value", "unit", "by"), ("owner", "start", "done"))
START_KEYS = AllowedKeys(("value", "day"))
PROCEDURE_KEYS = AllowedKeys(("id", "online_level", "measure", "count", "from", "to"))
INDEX_KEYS = AllowedKeys(("indicator", "year", "source"), ("value", "rank", "of"))
COMMITMENT_KEYS = AllowedKeys(("indicator", "value", "by"), ("unit", "agency", "signed", "document", "sample"))
MAX_UNITS_RANKED = 10_000
_AVAILABILITY = re.compile(r"(?:national-)?([a-z-]+)_up_ms")


def build_indicators(doc: TomlDocument) -> tuple[OwnIndicator, ...]:
    """Build the indicators that the inventory declares beside those of the product, each id once."""
    doc.record(AllowedKeys((), ("target", "indicator")))
    records = doc.records("indicator", INDICATOR_KEYS)
    built = tuple(map(_build_indicator, records))
    _check_once(records, built, "id", lambda row: row.id, lambda row: f"{row.id} is declared already")
    return built


def _build_indicator(r: Record) -> OwnIndicator:
    ident = r.text("id")
    if ident and not _INDICATOR_ID.fullmatch(ident):
        r.add_fault("id", f"{ident!r} is not an indicator's id", "write capitals, - and two digits, as BT-01")
    if ident in INDICATORS:
        r.add_fault("id", f"{ident} is an indicator of the product", "choose letters of your own, as BT-01")
    numerator, denominator = _figures(r, "numerator"), _figures(r, "denominator")
    if not numerator:
        r.add_fault("numerator", "is missing", 'list the figures that are added above the line, as ["received_mobile"]')
    strand, direction = r.choice("strand", STRANDS), r.choice("direction", ("up", "down"), "up")
    return OwnIndicator(
        ident, r.text("name_vi"), r.text("name_en"), strand, r.text("owner"), numerator, denominator,
        r.text("formula", ""), direction,
    )  # fmt: skip


def _figures(r: Record, key: str) -> tuple[str, ...]:
    names = r.text_list(key) if key in r.values else ()
    known = ADMINISTRATION_FIGURES | OPERATION_FIGURES
    for name in names:
        if name not in known:
            close = get_close_matches(name, sorted(known), 3, 0.6)
            remedy = f"did you mean {' or '.join(close)}?" if close else "docs/reference/targets.md lists the figures"
            r.add_fault(key, f"there is no figure {name!r}", remedy)
    return names


def build_targets(doc: TomlDocument, known: Mapping[str, Indicator]) -> tuple[Target, ...]:
    """Build the published targets; one id may have several dates, each once, and one start and one owner."""
    records = doc.records("target", TARGET_KEYS)
    built = tuple(_build_target(doc, index, record, known) for index, record in enumerate(records))
    _check_once(records, built, "by", lambda t: (t.id, t.by), lambda t: f"{t.id} already has {t.by}")
    _check_once(records, built, "start", lambda t: t.start and t.id, lambda t: f"{t.id} already begins")
    for record, target in zip(records, built, strict=True):
        _check_start(record, target, built)
        owners = {t.owner for t in built if t.id == target.id and t.owner}
        if target.owner and len(owners) > 1:
            names = " and ".join(sorted(owners))
            record.add_fault("owner", f"{target.id} has the owners {names}", "name one in all tables of the target")
    return built


def _check_once(
    records: Sequence[Record],
    built: Sequence[_Row],
    key: str,
    value: Callable[[_Row], object],
    problem: Callable[[_Row], str],
) -> None:
    """Add a fault to each record whose value (if any) an earlier one has."""
    first: dict[object, int] = {}
    for record, target in zip(records, built, strict=True):
        if not (own := value(target)):
            continue
        line = first.setdefault(own, record.line)
        if line != record.line:
            remedy = "give it another date" if key == "by" else "give one start, in the first table of the target"
            record.add_fault(key, f"{problem(target)} on line {line}", remedy)


def _check_start(record: Record, target: Target, targets: Iterable[Target]) -> None:
    first = min(t.by for t in targets if t.id == target.id)
    if target.start is not None and target.start.day >= first:
        problem = f"begins on {target.start.day}, and the first target is for {first}"
        record.add_fault("start", problem, "write the day on which the value was measured, before the first target")


def _build_target(doc: TomlDocument, index: int, r: Record, known: Mapping[str, Indicator]) -> Target:
    ident, unit = r.text("id"), r.choice("unit", TARGET_UNITS)
    subject = _parse_subject(r, "id", ident, known)
    if subject is not None and r.values.get("unit") in TARGET_UNITS and subject.indicator.unit != unit:
        wanted = subject.indicator.unit
        r.add_fault("unit", f"{ident} is measured in {wanted!r}, not in {unit!r}", f'write unit = "{wanted}"')
    value = r.real("value", 1.0 if unit == "ratio" else 1e9)
    start = _parse_start(doc, index, r, unit) if "start" in r.values else None
    done = r.optional_day("done")
    if done is not None and unit != "milestone":
        r.add_fault("done", "is for milestones only", "remove it: other targets are measured")
    owner = r.text("owner", "")
    return Target(ident, r.text("name_vi"), r.text("name_en"), value, unit, r.day("by"), owner, start, done)


def _parse_start(doc: TomlDocument, index: int, target: Record, unit: str) -> TargetStart | None:
    if not isinstance(target.values["start"], dict):
        target.add_fault("start", "is not a value with its day", "write start = {value = 44, day = 2020-12-31}")
        return None
    record = doc.record(START_KEYS, "target", index, "start")
    return TargetStart(record.real("value", 1.0 if unit == "ratio" else 1e9), record.day("day"))


def _parse_subject(r: Record, key: str, ident: str, known: Mapping[str, Indicator]) -> TargetSubject | None:
    """Return what an id is about; an unknown one is a fault that names what it may have meant."""
    subject = target_subject(ident, known)
    if subject is not None or not ident:
        return subject
    if key == "id" and not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", ident):
        r.add_fault(key, f"{ident!r} is not a target's id", "use letters, digits, _ and -")
        return None
    base, _, level = ident.rpartition("-")
    if base in known and level in LEVELS:
        r.add_fault(key, f"{base} has no values by level", f"write {base}")
        return None
    close = _similar_ids(ident, known)
    remedy = f"did you mean {' or '.join(close)}?" if close else "`motcua inventory show kpis` lists the indicators"
    r.add_fault(key, f"there is no indicator {ident!r}", remedy)
    return None


def _similar_ids(ident: str, known: Mapping[str, Indicator]) -> list[str]:
    """Return what an unknown id may have meant: that with two digits and in the catalogue's case, else close ones."""
    by_level = (f"{row.id}-{level}" for row in known.values() if row.by_level for level in LEVELS)
    names = [*known, *TARGET_ALIASES, *by_level]
    padded = re.sub(r"-([0-9])(?![0-9])", r"-0\1", ident).lower()
    return [name for name in names if name.lower() == padded] or get_close_matches(ident, names, 3, 0.6)


def build_procedures(records: list[Record]) -> tuple[ProcedureCount, ...]:
    """Build the published counts of procedures; levels 3 and 4 are known until 2022, partial and full since."""
    built = tuple(index_by(records, "id", _build_procedure).values())
    first: dict[tuple[object, ...], int] = {}
    for record, row in zip(records, built, strict=False):
        level = CURRENT_LEVELS.get(row.online_level, row.online_level)
        line = first.setdefault((level, row.measure, row.first, row.last), record.line)
        if line != record.line:
            problem = f"{row.measure} of {row.online_level} is already on line {line} for this period"
            record.add_fault("online_level", problem, "remove one of them, or give it another period")
    return built


def _build_procedure(r: Record) -> ProcedureCount:
    first, last = r.day("from"), r.day("to")
    if last < first:
        r.add_fault("to", f"{last} is before {first}", "write the last day of the period")
    level, measure = r.choice("online_level", ONLINE_LEVELS), r.choice("measure", MEASURES)
    if level in FORMER_LEVELS and last > FORMER_LEVELS_UNTIL:
        current = CURRENT_LEVELS.get(level)
        remedy = f"write {current}" if current else "leave it out: it is all procedures less the online ones"
        r.add_fault("online_level", f"{level} ended with 2022, and the period ends on {last}", remedy)
    if level in CURRENT_LEVELS.values() and first < CURRENT_LEVELS_FROM:
        former = next(name for name, now in CURRENT_LEVELS.items() if now == level)
        r.add_fault("online_level", f"{level} is known since 2022, and the period begins on {first}", f"write {former}")
    return ProcedureCount(r.identifier("id"), level, measure, r.integer("count", 0, 10**9), first, last)


def build_indices(records: list[Record]) -> tuple[IndexFigure, ...]:
    """Build the published yearly indices; each has one figure a year."""
    built = tuple(map(_build_index, records))
    first: dict[tuple[str, int], int] = {}
    for record, row in zip(records, built, strict=True):
        line = first.setdefault((row.indicator, row.year), record.line)
        if line != record.line:
            record.add_fault("year", f"{row.indicator} already has {row.year} on line {line}", "remove one of them")
    return built


def _build_index(r: Record) -> IndexFigure:
    ident, year = r.choice("indicator", INDEX_IDS), r.integer("year", 2000, 2099)
    units = r.integer("of", 0, MAX_UNITS_RANKED, 0)
    rank = r.integer("rank", 1, MAX_UNITS_RANKED, 0)
    if rank and not units:
        r.add_fault("of", "is missing beside the rank", "write how many units were ranked, as 63 provinces")
    elif rank > units:
        r.add_fault("rank", f"{rank} is more than the {units} units ranked", "write the rank among them")
    if units and not rank:
        r.add_fault("rank", f"is missing beside the {units} units ranked", "write the rank, or leave `of` empty")
    has_value = r.values.get("value", "") != ""
    value = r.decimal("value", INDEX_MAXIMA.get(ident, 1e9)) if has_value else float(rank)
    if INDICATORS[ident].unit == "rank":
        if not rank and not units:
            r.add_fault("rank", f"{ident} is a rank, and there is none", "write it, with `of`")
        if has_value:
            r.add_fault("value", f"{ident} is a rank", f"leave it empty; the score has a row of its own, {ident}b")
    elif not has_value:
        r.add_fault("value", f"{ident} is a score, and there is none", "write it as published")
    return IndexFigure(ident, year, value, rank, units, r.text("source"))


def build_commitments(
    records: list[Record], units: Mapping[str, AdministrativeUnit], agencies: frozenset[str],
    known: Mapping[str, Indicator],
) -> tuple[Commitment, ...]:  # fmt: skip
    """Build the signed commitments; `agencies` are those that a centre or a service names as its owner."""
    built = [_build_commitment(record, units, agencies, known) for record in records]
    first: dict[tuple[object, ...], int] = {}
    for record, row in zip(records, built, strict=True):
        line = first.setdefault((row.unit, row.agency, row.indicator, row.level, row.by), record.line)
        if line != record.line:
            problem = f"{row.unit or row.agency} already has {row.indicator} by {row.by} on line {line}"
            record.add_fault("indicator", problem, "remove one of them, or give it another date")
    return tuple(built)


def _build_commitment(
    r: Record, units: Mapping[str, AdministrativeUnit], agencies: frozenset[str], known: Mapping[str, Indicator]
) -> Commitment:
    unit, agency = r.text("unit", ""), r.text("agency", "")
    if bool(unit) == bool(agency):
        problem = "names neither a unit nor an agency" if not unit else "names both a unit and an agency"
        r.add_fault(
            "unit", problem, "write the unit's code of units.csv, or the agency's name, and leave the other empty"
        )
    r.check_reference("unit", unit, units, "unit")
    if agency and agency not in agencies:
        r.add_warning("agency", f"no centre or service is owned by {agency!r}", "nothing is measured for it")
    ident = r.text("indicator")
    subject = _parse_subject(r, "indicator", ident, known)
    highest = 1.0 if subject is not None and subject.indicator.unit == "ratio" else 1e9
    value, by, signed = r.decimal("value", highest), r.day("by"), r.optional_day("signed")
    if signed is not None and signed > by:
        r.add_fault("signed", f"{signed} is after {by}", "write the day of the signature")
    level = "" if subject is None else subject.level
    name = ident if subject is None else subject.indicator.id
    return Commitment(
        unit, agency, name, level, by, value, signed, r.text("document", ""), r.flag("sample", default=False)
    )


def owner_agencies(inventory: Inventory) -> frozenset[str]:
    """Return the agencies that own a centre or a service."""
    of_centres = {centre.owner_agency for centre in inventory.centres.values()}
    return frozenset((of_centres | {service.owner_agency for service in inventory.services.values()}) - {""})


def warn_of_unmeasured_targets(doc: TomlDocument, inventory: Inventory) -> None:
    """Add a warning for each target whose indicator can have no value with what the inventory declares."""
    for record in doc.records("target", TARGET_KEYS):
        subject = target_subject(str(record.values.get("id", "")), all_indicators(inventory.own_indicators))
        if subject is not None and (missing := _missing_source(subject.indicator, inventory)):
            record.add_warning("id", f"{record.values['id']} cannot be measured: {missing.problem}", missing.remedy)


@dataclass(frozen=True, slots=True)
class _MissingSource:
    problem: str
    remedy: str


def _missing_source(indicator: Indicator, inventory: Inventory) -> _MissingSource | None:
    """Return what an indicator lacks: an import, a system of its kind, or a definition of its figures at all."""
    if indicator.source == "import" and all(row.indicator != indicator.id for row in inventory.indices):
        return _MissingSource(f"{INDICES_FILE} has no year of it", f"add its published years to {INDICES_FILE}")
    if indicator.source == "declared" and indicator.unit != "milestone":
        return _MissingSource("no event or file carries its figures", "remove the target, or follow it elsewhere")
    kinds = {match[1] for name in indicator.denominator if (match := _AVAILABILITY.fullmatch(name))} & {*SYSTEM_KINDS}
    national = indicator.denominator[:1] == tuple(f"national-{kind}_up_ms" for kind in kinds)
    systems = (s for s in inventory.systems.values() if s.id.startswith("vn-") == national)
    if kinds and not any(system.kind in kinds for system in systems):
        return _MissingSource(
            f"no system is of kind {' or '.join(sorted(kinds))}", "declare the system in systems.toml"
        )
    return None
