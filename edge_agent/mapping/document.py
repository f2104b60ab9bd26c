"""Reads a replay mapping's TOML and lists all its faults at once; it must not read the file being imported."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import time
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec.structs import fields

from edge_agent.mapping.rules import TYPES, Report, Rule, rule_of, when_of
from telemetry.core.inventory import ALWAYS, Hours, Service
from telemetry.errors import Fault, MappingError

if TYPE_CHECKING:
    from collections.abc import Mapping as Table

    from edge_agent.mapping.expressions import Condition

_SHIPPED = files("edge_agent") / "mappings"
_PAGE = "see docs/reference/replay-mapping.md"
_KEYS = ("name", "title", "zone", "delimiter", "encoding", "services", "hours", "skip", "common", "event")
_SERVICE = {"vi", "en", "values"}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HEADER = re.compile(r"\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}")
_INTERVAL = re.compile(r"([01]\d|2[0-3]):([0-5][05])-([01]\d|2[0-4]):([0-5][05])")


@dataclass(frozen=True, slots=True)
class Skip:
    """Rows that stand for nothing: not imported, but counted under `label`."""

    label: str
    when: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping that has been checked: what a file's columns mean."""

    name: str
    title_vi: str
    title_en: str
    zone: ZoneInfo
    delimiter: str
    encoding: str
    services: tuple[Service, ...]
    raw_services: Table[str, str]
    hours: tuple[Hours, ...]
    skips: tuple[Skip, ...]
    rules: tuple[Rule, ...]
    file: str
    digest: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column it reads, in order of first mention."""
        tests = [*(c for skip in self.skips for c in skip.when), *(c for rule in self.rules for c in rule.when)]
        read = [c for rule in self.rules for _, expression in rule.fields for c in expression.columns]
        return tuple(dict.fromkeys([*(test.column for test in tests), *read]))


def shipped() -> tuple[str, ...]:
    """Return the names of the mappings that come with the program."""
    return tuple(sorted(entry.name[:-5] for entry in _SHIPPED.iterdir() if entry.name.endswith(".toml")))


def load_mapping(name_or_path: str) -> Mapping:
    """Return a shipped mapping by name or another by path; raises MappingError with all its faults."""
    file, text = _text(name_or_path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise MappingError([Fault(file, line, "TOML", str(error), "correct the syntax")]) from None
    draft = _Draft(file, text, data)
    mapping = draft.mapping()
    if draft.faults:
        raise MappingError(sorted(set(draft.faults)))
    return mapping


def _text(name_or_path: str) -> tuple[str, str]:
    known = shipped()
    try:
        if name_or_path in known:
            return f"{name_or_path}.toml", (_SHIPPED / f"{name_or_path}.toml").read_text("utf-8")
        return name_or_path, Path(name_or_path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        remedy = f"give the path of a UTF-8 TOML file, or one of the shipped names: {', '.join(known)}"
        raise MappingError([Fault(name_or_path, 1, "mapping", f"cannot be read ({error})", remedy)]) from None


def line_of(text: str, table: str, index: int, key: str) -> int:
    """Return the line of a key in the index-th table of that name, else of the table, else 1."""
    current, seen, best = "", Counter({"": 1}), 1
    assignment = re.compile(rf'\s*"?{re.escape(key)}"?\s*[=.]')
    for line, content in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(content):
            current = header[1]
            seen[current] += 1
        inside = current == table and seen[current] == index + 1
        if current == f"{table}.{key}" or (not table and current == key) or (inside and assignment.match(content)):
            return line
        best = line if header and inside else best
    parent, _, name = table.rpartition(".")
    return best if best > 1 or not table else line_of(text, parent, 0, name)


@dataclass(slots=True)
class _Draft:
    """A mapping being checked; faults are collected, and a faulty part is left out."""

    file: str
    text: str
    data: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def mapping(self) -> Mapping:
        for key in self.data.keys() - set(_KEYS):
            self.fault("", 0, key, "is no key of a mapping", f"use {', '.join(_KEYS)}")
        title = self.table("title")
        services, raw = self.services()
        return Mapping(
            name=self.matching("name", "", r"[a-z0-9][a-z0-9-]{0,47}", "at most 48 of a-z, 0-9 and -"),
            title_vi=self.string(title, "vi", "title"), title_en=self.string(title, "en", "title"),
            zone=self.zone(), delimiter=self.delimiter(), encoding=self.encoding(),
            services=services, raw_services=raw, hours=self.hours(), skips=self.skips(), rules=self.rules(),
            file=self.file, digest=sha256(self.text.encode()).hexdigest(),
        )  # fmt: skip

    def fault(self, table: str, index: int, key: str, problem: str, remedy: str = _PAGE) -> None:
        common = table == "event" and key not in self.data["event"][index] and key in self.table("common")
        table, index = ("common", 0) if common else (table, index)
        line = line_of(self.text, table, index, key)
        self.faults.append(Fault(self.file, line, f"{table}.{key}".strip("."), problem, remedy))

    def table(self, key: str) -> dict[str, Any]:
        value = self.data.get(key, {})
        if isinstance(value, dict):
            return value
        self.fault("", 0, key, "is no table", f"write [{key}] and its keys below")
        return {}

    def tables(self, key: str) -> list[dict[str, Any]]:
        value = self.data.get(key, [])
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            return value
        self.fault("", 0, key, "is no list of tables", f"write [[{key}]] and its keys below")
        return []

    def string(self, owner: dict[str, Any], key: str, table: str, index: int = 0) -> str:
        value = owner.get(key)
        if isinstance(value, str) and value.strip():
            return value
        self.fault(table, index, key, "is missing" if value is None else "is no text", f'write {key} = "…"')
        return ""

    def matching(self, key: str, default: str, pattern: str, remedy: str) -> str:
        value = self.data.get(key, default)
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        self.fault("", 0, key, f"{value!r} cannot be used" if value else "is missing", remedy)
        return default

    def zone(self) -> ZoneInfo:
        name = self.string(self.data, "zone", "")
        try:
            return ZoneInfo(name or "UTC")
        except (ValueError, OSError, KeyError):
            self.fault("", 0, "zone", f"{name!r} is no time zone", "use an IANA name such as Asia/Ho_Chi_Minh")
            return ZoneInfo("UTC")

    def delimiter(self) -> str:
        return self.matching("delimiter", "auto", r'auto|[^\w\s"]|\t', 'use "auto", "\\t", "," or another single sign')

    def encoding(self) -> str:
        value = self.data.get("encoding", "utf-8")
        try:
            return codecs.lookup(value).name
        except (LookupError, TypeError):
            self.fault("", 0, "encoding", f"{value!r} is no encoding", "use utf-8, utf-16, cp1258, …")
            return "utf-8"

    def services(self) -> tuple[tuple[Service, ...], dict[str, str]]:
        found: list[Service] = []
        raw: dict[str, str] = {}
        if not self.table("services"):
            self.fault("", 0, "services", "names no service", 'write one, e.g. land = { vi = "…", en = "…" }')
        for ident, entry in self.table("services").items():
            if not re.fullmatch(r"[a-z0-9-]{1,63}", ident) or not isinstance(entry, dict):
                self.fault("services", 0, ident, "is no service", "an id of a-z, 0-9, - with { vi, en, values }")
                continue
            vi, en = (self.string(entry, key, f"services.{ident}") for key in ("vi", "en"))
            found.append(Service(ident, vi, en))
            for text in self.raw_values(ident, entry):
                if raw.setdefault(text, ident) != ident:
                    self.fault("services", 0, ident, f"value {text!r} also belongs to {raw[text]}", "keep it in one")
        return tuple(found), raw

    def raw_values(self, ident: str, entry: dict[str, Any]) -> list[str]:
        values = entry.get("values", [ident])
        if isinstance(values, list) and all(isinstance(v, str) for v in values) and not entry.keys() - _SERVICE:
            return values
        self.fault("services", 0, ident, "has other keys than vi, en, values, or values that are no list of texts")
        return []

    def hours(self) -> tuple[Hours, ...]:
        table = self.table("hours")
        for day in table.keys() - set(_DAYS):
            self.fault("hours", 0, day, "is no day", f"use {', '.join(_DAYS)}")
        return tuple(self.day(d, table.get(d, [])) for d in _DAYS) if table else ALWAYS

    def day(self, day: str, intervals: object) -> Hours:
        texts = intervals if isinstance(intervals, list) else [intervals]
        found = [_INTERVAL.fullmatch(str(text)) for text in texts]
        out = [tuple(int(part) for part in match.groups()) for match in found if match]
        good = [(h, m, k, n) for h, m, k, n in out if (h, m) < (k, n) <= (24, 0)]
        if len(good) != len(texts):
            self.fault("hours", 0, day, "has an interval that cannot be read", '5-minute marks: ["07:30-11:30"]')
        return tuple((time(h, m), time(k % 24, n)) for h, m, k, n in good)

    def skips(self) -> tuple[Skip, ...]:
        found = []
        for index, entry in enumerate(self.tables("skip")):
            self.only(entry, {"label", "when"}, "skip", index)
            label, when = self.string(entry, "label", "skip", index), when_of(entry, self.report("skip", index))
            if not when:
                self.fault("skip", index, "when", "is missing", "say which rows are skipped")
            found.append(Skip(label, when))
        return tuple(found)

    def only(self, entry: dict[str, Any], keys: set[str], table: str, index: int) -> None:
        for key in entry.keys() - keys:
            self.fault(table, index, key, "is unknown here", f"use {', '.join(sorted(keys))}")

    def report(self, table: str, index: int) -> Report:
        return partial(self.fault, table, index)

    def rules(self) -> tuple[Rule, ...]:
        common, entries = self.table("common"), self.tables("event")
        kinds = [TYPES[e["type"]] for e in entries if str(e.get("type")) in TYPES]
        for key in common.keys() - {f.encode_name for kind in kinds for f in fields(kind)}:
            self.fault("common", 0, key, "is a field of none of the events", "remove it")
        if not entries:
            self.fault("", 0, "event", "is missing", "write at least one [[event]]")
        drafted = [rule_of(common, entry, self.report("event", index)) for index, entry in enumerate(entries)]
        return tuple(rule for rule in drafted if rule)
