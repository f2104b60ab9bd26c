"""Reads a replay mapping's TOML and reports all faults at once; it must not read the file being imported."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import time
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from msgspec.structs import fields

from edge_agent.mapping.expressions import ColumnExpression, DateTimeExpression, TicketIdExpression
from edge_agent.mapping.rules import MAPPABLE_EVENT_TYPES, MappingRule, parse_rule, parse_when
from telemetry.core.inventory import ALWAYS_OPEN, OpeningHours, Service
from telemetry.core.reserved_ids import RESERVED_IDS
from telemetry.delimited_text import ENCODING_REMEDY, normalize_text
from telemetry.errors import Fault, MappingError
from telemetry.text_file import read_text_file
from telemetry.toml_lines import TomlSyntaxError, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping as Table

    from edge_agent.mapping.conditions import Condition
    from edge_agent.mapping.ticket_ledger import RepeatRule

_SHIPPED_FOLDER = files("edge_agent") / "mappings"
_DOCS_REMEDY = "see docs/reference/replay-mapping.md"
MAPPING_KEYS = (
    "name", "title", "zone", "header", "delimiter", "encoding", "sheet", "decimal", "repeats", "services", "hours",
    "skip", "common", "event",
)  # fmt: skip
MAPPING_DEFAULTS = {"delimiter": "auto", "encoding": "utf-8", "sheet": "", "decimal": ".", "repeats": "once"}
"""The keys that have a default; the others are required, or absent without one."""
_SERVICE_KEYS = {"vi", "en", "values"}
_REPEATS = "once|by-time|each-row"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HEADER = re.compile(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}")
_INTERVAL = re.compile(r"([01]\d|2[0-3]):([0-5][05])-([01]\d|2[0-4]):([0-5][05])")


@dataclass(frozen=True, slots=True)
class SkipRule:
    """Rows that are not imported, but counted under `label`."""

    label: str
    when: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class ReplayMapping:
    """A checked mapping: the meaning of a file's columns."""

    name: str
    title_vi: str
    title_en: str
    zone: ZoneInfo
    header: tuple[str, ...]
    delimiter: str
    encoding: str
    sheet: str
    decimal: str
    repeats: RepeatRule
    services: tuple[Service, ...]
    service_by_value: Table[str, str]
    hours: tuple[OpeningHours, ...]
    has_hours: bool
    skips: tuple[SkipRule, ...]
    rules: tuple[MappingRule, ...]
    file: str
    digest: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that the mapping reads, in order of first use."""
        tests = [*(c for skip in self.skips for c in skip.when), *(c for rule in self.rules for c in rule.when)]
        read = [c for rule in self.rules for _, expression in rule.fields for c in expression.columns]
        return tuple(dict.fromkeys([*(test.column for test in tests), *read]))

    @property
    def date_patterns(self) -> tuple[tuple[str, str], ...]:
        """Return each column that is read as a date, with its pattern."""
        patterns: dict[tuple[str, str], None] = {}
        for rule in self.rules:
            for _, expression in rule.fields:
                if isinstance(expression, DateTimeExpression):
                    patterns[expression.date, expression.date_format] = None
                elif isinstance(expression, ColumnExpression) and "%" in expression.format:
                    patterns[expression.column, expression.format] = None
        return tuple(patterns)

    @property
    def serial_columns(self) -> tuple[str, ...]:
        """Return the columns that are read as serial days of a spreadsheet."""
        expressions = [expression for rule in self.rules for _, expression in rule.fields]
        dates = [e.date for e in expressions if isinstance(e, DateTimeExpression) and e.date_format == "excel"]
        times = [e.column for e in expressions if isinstance(e, ColumnExpression) and e.format == "excel"]
        return tuple(dict.fromkeys([*dates, *times]))

    @property
    def ticket_columns(self) -> tuple[str, ...]:
        """Return the columns that identify a ticket or dossier."""
        expressions = (expression for rule in self.rules for _, expression in rule.fields)
        return tuple(dict.fromkeys(c for e in expressions if isinstance(e, TicketIdExpression) for c in e.ticket))


def shipped_mappings() -> tuple[str, ...]:
    """Return the names of the mappings shipped with the program."""
    return tuple(sorted(entry.name[:-5] for entry in _SHIPPED_FOLDER.iterdir() if entry.name.endswith(".toml")))


def load_mapping(name_or_path: str) -> ReplayMapping:
    """Return a shipped mapping by name or another by path; raises MappingError with all its faults."""
    file, text = _read_text(name_or_path)
    text = unicodedata.normalize("NFC", text)
    try:
        data = parse_toml(text)
    except TomlSyntaxError as error:
        raise MappingError([Fault(file, error.line, "TOML", error.problem, "correct the syntax")]) from None
    reader = _MappingReader(file, text, {key: _normalize_texts(key, value) for key, value in data.items()})
    mapping = reader.build_mapping()
    if reader.faults:
        raise MappingError(sorted(set(reader.faults)))
    return mapping


def _normalize_texts(key: str, value: Any) -> Any:  # noqa: ANN401 - any TOML value
    """Return a value whose texts and keys are as a file's cells are: a mapping's texts are compared with them."""
    if isinstance(value, str):
        return value if key == "delimiter" else normalize_text(value)
    if isinstance(value, list):
        return [_normalize_texts(key, part) for part in value]
    if isinstance(value, dict):
        return {normalize_text(name): _normalize_texts(name, part) for name, part in value.items()}
    return value


def _read_text(name_or_path: str) -> tuple[str, str]:
    names = shipped_mappings()
    try:
        if name_or_path in names:
            return f"{name_or_path}.toml", (_SHIPPED_FOLDER / f"{name_or_path}.toml").read_text("utf-8")
        return name_or_path, read_text_file(Path(name_or_path))
    except (OSError, UnicodeDecodeError) as error:
        remedy = f"give the path of a UTF-8 TOML file, or one of the shipped names: {', '.join(names)}"
        raise MappingError([Fault(name_or_path, 1, "mapping", f"cannot be read ({error})", remedy)]) from None


def find_line(text: str, table: str, index: int, key: str) -> int:
    """Return the line of a key in the index-th table of that name, else of the table, else 1."""
    current, table_counts, table_line = "", Counter({"": 1}), 1
    assignment = re.compile(rf'\s*"?{re.escape(key)}"?\s*[=.]')
    for line, content in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(content):
            current = header[1]
            table_counts[current] += 1
        inside = current == table and table_counts[current] == index + 1
        if current == f"{table}.{key}" or (not table and current == key) or (inside and assignment.match(content)):
            return line
        table_line = line if header and inside else table_line
    parent, _, name = table.rpartition(".")
    return table_line if table_line > 1 or not table else find_line(text, parent, 0, name)


@dataclass(slots=True)
class _MappingReader:
    """Checks a mapping; faults are collected, and a faulty part is omitted."""

    file: str
    text: str
    data: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def build_mapping(self) -> ReplayMapping:
        for key in self.data.keys() - set(MAPPING_KEYS):
            self.add_fault("", 0, key, "is no key of a mapping", f"use {', '.join(MAPPING_KEYS)}")
        title = self.read_table("title")
        services, service_by_value = self.read_services()
        return ReplayMapping(
            name=self.read_matching("name", "", r"[a-z0-9][a-z0-9-]{0,47}", "at most 48 of a-z, 0-9 and -"),
            title_vi=self.read_string(title, "vi", "title"), title_en=self.read_string(title, "en", "title"),
            zone=self.read_zone(), header=self.read_header(), delimiter=self.read_delimiter(),
            encoding=self.read_encoding(), sheet=self.read_sheet(),
            decimal=self.read_matching("decimal", MAPPING_DEFAULTS["decimal"], r"[.,]", 'use "." or ","'),
            repeats=self.read_repeats(),
            services=services, service_by_value=service_by_value, hours=self.read_hours(),
            has_hours=bool(self.read_table("hours")), skips=self.read_skips(), rules=self.read_rules(),
            file=self.file, digest=sha256(self.text.encode()).hexdigest(),
        )  # fmt: skip

    def add_fault(self, table: str, index: int, key: str, problem: str, remedy: str = _DOCS_REMEDY) -> None:
        common = table == "event" and key not in self.data["event"][index] and key in self.read_table("common")
        table, index = ("common", 0) if common else (table, index)
        line = find_line(self.text, table, index, key)
        self.faults.append(Fault(self.file, line, f"{table}.{key}".strip("."), problem, remedy))

    def read_table(self, key: str) -> dict[str, Any]:
        value = self.data.get(key, {})
        if isinstance(value, dict):
            return value
        self.add_fault("", 0, key, "is no table", f"write [{key}] and its keys below")
        return {}

    def read_tables(self, key: str) -> list[dict[str, Any]]:
        value = self.data.get(key, [])
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            return value
        self.add_fault("", 0, key, "is no list of tables", f"write [[{key}]] and its keys below")
        return []

    def read_string(self, owner: dict[str, Any], key: str, table: str, index: int = 0) -> str:
        value = owner.get(key)
        if isinstance(value, str) and value.strip():
            return value
        self.add_fault(table, index, key, "is missing" if value is None else "is no text", f'write {key} = "…"')
        return ""

    def read_matching(self, key: str, default: str, pattern: str, remedy: str) -> str:
        value = self.data.get(key, default)
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        self.add_fault("", 0, key, f"{value!r} cannot be used" if value else "is missing", remedy)
        return default

    def read_zone(self) -> ZoneInfo:
        name = self.read_string(self.data, "zone", "")
        try:
            return ZoneInfo(name or "UTC")
        except (ValueError, OSError, KeyError):
            self.add_fault("", 0, "zone", f"{name!r} is no time zone", "use an IANA name such as Asia/Ho_Chi_Minh")
            return ZoneInfo("UTC")

    def read_header(self) -> tuple[str, ...]:
        names = self.data.get("header", [])
        if isinstance(names, list) and all(isinstance(name, str) and name.strip() for name in names):
            return tuple(names)
        self.add_fault("", 0, "header", "is no list of column names", 'write header = ["time", "ticket", …]')
        return ()

    def read_delimiter(self) -> str:
        return self.read_matching(
            "delimiter", MAPPING_DEFAULTS["delimiter"], r'auto|[^\w\s"]|\t| ', 'use "auto", "\\t", " ", "," or one sign'
        )

    def read_encoding(self) -> str:
        value = self.data.get("encoding", MAPPING_DEFAULTS["encoding"])
        try:
            names = [name.strip() for name in value.split(",")]
            for name in names:
                "".encode(name)  # codecs that make no text, such as rot13, are refused here
            return ",".join(codecs.lookup(name).name for name in names)
        except (AttributeError, LookupError, TypeError, ValueError):
            remedy = f"use utf-8, utf-16, cp1258, … or several to try; {ENCODING_REMEDY}"
            self.add_fault("", 0, "encoding", f"{value!r} is no encoding", remedy)
            return "utf-8"

    def read_repeats(self) -> RepeatRule:
        text = self.read_matching("repeats", MAPPING_DEFAULTS["repeats"], _REPEATS, f"use one of {_REPEATS}")
        return cast("RepeatRule", text)

    def read_sheet(self) -> str:
        return self.read_string(self.data, "sheet", "") if "sheet" in self.data else MAPPING_DEFAULTS["sheet"]

    def read_services(self) -> tuple[tuple[Service, ...], dict[str, str]]:
        services: list[Service] = []
        service_by_value: dict[str, str] = {}
        if not self.read_table("services"):
            self.add_fault("", 0, "services", "names no service", 'write one, e.g. land = { vi = "…", en = "…" }')
        for ident, entry in self.read_table("services").items():
            if not re.fullmatch(r"[a-z0-9-]{1,63}", ident) or not isinstance(entry, dict):
                self.add_fault("services", 0, ident, "is no service", "an id of a-z, 0-9, - with { vi, en, values }")
                continue
            if ident in RESERVED_IDS:
                self.add_fault("services", 0, ident, f"is reserved: {RESERVED_IDS[ident]}", "choose another id")
            vi, en = (self.read_string(entry, key, f"services.{ident}") for key in ("vi", "en"))
            services.append(Service(ident, vi, en))
            for text in self.read_service_values(ident, entry):
                if service_by_value.setdefault(text, ident) != ident:
                    problem = f"value {text!r} also belongs to {service_by_value[text]}"
                    self.add_fault("services", 0, ident, problem, "keep it in one")
        return tuple(services), service_by_value

    def read_service_values(self, ident: str, entry: dict[str, Any]) -> list[str]:
        self.check_keys(entry, _SERVICE_KEYS, f"services.{ident}", 0)
        values = entry.get("values", [ident])
        if isinstance(values, list) and all(isinstance(v, str) for v in values):
            return values
        self.add_fault("services", 0, ident, "has values that are no list of texts", 'write values = ["…", "…"]')
        return []

    def read_hours(self) -> tuple[OpeningHours, ...]:
        table = self.read_table("hours")
        for day in table.keys() - set(_DAYS):
            self.add_fault("hours", 0, day, "is no day", f"use {', '.join(_DAYS)}")
        return tuple(self.read_day(d, table.get(d, [])) for d in _DAYS) if table else ALWAYS_OPEN

    def read_day(self, day: str, intervals: object) -> OpeningHours:
        texts = intervals if isinstance(intervals, list) else [intervals]
        matches = [_INTERVAL.fullmatch(str(text)) for text in texts]
        intervals_read = [tuple(int(part) for part in match.groups()) for match in matches if match]
        valid_intervals = [(h, m, k, n) for h, m, k, n in intervals_read if (h, m) < (k, n) <= (24, 0)]
        if len(valid_intervals) != len(texts):
            self.add_fault("hours", 0, day, "has an interval that cannot be read", '5-minute marks: ["07:30-11:30"]')
        return tuple((time(h, m), time(k % 24, n)) for h, m, k, n in valid_intervals)

    def read_skips(self) -> tuple[SkipRule, ...]:
        skips = []
        for index, entry in enumerate(self.read_tables("skip")):
            self.check_keys(entry, {"label", "when"}, "skip", index)
            label = self.read_string(entry, "label", "skip", index)
            when = parse_when(entry, partial(self.add_fault, "skip", index))
            if not when:
                self.add_fault("skip", index, "when", "is missing", "write which rows are skipped")
            skips.append(SkipRule(label, when))
        return tuple(skips)

    def check_keys(self, entry: dict[str, Any], keys: set[str], table: str, index: int) -> None:
        for key in entry.keys() - keys:
            self.add_fault(table, index, key, "is unknown here", f"use {', '.join(sorted(keys))}")

    def read_rules(self) -> tuple[MappingRule, ...]:
        common, entries = self.read_table("common"), self.read_tables("event")
        kinds = [MAPPABLE_EVENT_TYPES[e["type"]] for e in entries if str(e.get("type")) in MAPPABLE_EVENT_TYPES]
        for key in common.keys() - {f.encode_name for kind in kinds for f in fields(kind)}:
            self.add_fault("common", 0, key, "is a field of none of the events", "remove it")
        if not entries:
            self.add_fault("", 0, "event", "is missing", "write at least one [[event]]")
        rules = [
            parse_rule(common, entry, partial(self.add_fault, "event", index)) for index, entry in enumerate(entries)
        ]
        return tuple(rule for rule in rules if rule)
