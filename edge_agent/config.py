"""Reads `agent.toml` (written by `motcua inventory render --device ID`) and the sources in its drop-in folder.

All faults are reported with file and line.  It must not import the inventory.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.delivery import DRAIN_ROWS_PER_S
from telemetry.core.protocol.remote_signature import RemoteSigner, parse_signer
from telemetry.errors import ConfigError, Fault
from telemetry.mqtt.address import parse_broker_url
from telemetry.source_settings import SOURCE_KINDS, find_conflicts, find_setting_faults, source_name
from telemetry.text_file import read_text_file
from telemetry.toml_lines import TomlSyntaxError, locate_keys, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry.toml_lines import KeyPath

_KEYS = {
    "device", "centre", "kind", "every_ms", "mqtt", "mqtt_ca", "mqtt_cert", "mqtt_key", "outbox", "cap_mb",
    "clock_hold_s", "drain_rows_per_s", "metrics_file", "metrics_port", "services", "source", "signers",
}  # fmt: skip
_TEXT_KEYS = ("kind", "mqtt", "mqtt_ca", "mqtt_cert", "mqtt_key", "outbox", "metrics_file")
_MINIMUMS = {"every_ms": 1_000, "cap_mb": 1, "clock_hold_s": 0, "drain_rows_per_s": 1, "metrics_port": 1}
_ID_PATTERN = re.compile(r"[a-z0-9-]{1,63}")
_RENDER_REMEDY = "write it with: motcua inventory render --device ID"


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One `[[source]]` table: its kind and its settings, `name` among them where it has one."""

    kind: str
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the name under which it stores its position and is replaced."""
        return source_name(self.kind, self.values)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One agent's configuration; paths are relative to the file."""

    device: str
    centre: str
    mqtt: str = field(repr=False)
    """The broker's address, which may contain a password."""
    outbox: Path
    every_ms: int = 60_000
    cap_mb: int = 256
    tls: tuple[str, str, str] = ("", "", "")
    clock_hold_s: int = 120
    """How long rows wait until the clock is synchronised, s; 0: not at all."""
    drain_rows_per_s: int = DRAIN_ROWS_PER_S
    metrics_file: Path | None = None
    """Where the agent writes its metrics for a Prometheus textfile collector."""
    metrics_port: int = 0
    """The loopback port that serves the metrics; 0: none."""
    services: tuple[str, ...] = ()
    """The services that the centre declares; the local HTTP source warns of others. Empty: not known."""
    sources: tuple[SourceConfig, ...] = ()
    signers: tuple[RemoteSigner, ...] = ()
    """Who may sign configurations and commands; without any, they need no signature."""


@dataclass(frozen=True, slots=True)
class _TomlFile:
    """One file's text and values, with the line of each key."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def fault(self, where: KeyPath, problem: str, remedy: str) -> Fault:
        """Return a fault at a key, else at the first of its tables, else at its table, else at the first line."""
        places = (where, (*where, 0), where[:-1])
        line = next((self.lines[place] for place in places if place in self.lines), 1)
        return Fault(str(self.path), line, str(where[-1]), problem, remedy)


@dataclass(frozen=True, slots=True)
class _SourceTable:
    """One `[[source]]` table and its place."""

    file: _TomlFile
    position: int
    values: dict[str, Any]

    def fault(self, key: str, problem: str, remedy: str) -> Fault:
        """Return a fault of one of its settings."""
        return self.file.fault(("source", self.position, key), problem, remedy)


def load(path: Path, root: Path | None = None) -> AgentConfig:
    """Read the file and its drop-in files; absolute paths in them start at `root`. Raises ConfigError."""
    faults: list[Fault] = []
    file = _read_toml(path, _RENDER_REMEDY, faults)
    if file is None:
        raise ConfigError(faults)
    faults += _find_faults(file)
    tables = _source_tables(file, faults)
    for extra_path in _list_drop_in_files(path, faults):
        extra = _read_toml(extra_path, "correct it, or move it away", faults)
        if extra is not None:
            faults += _find_drop_in_faults(extra)
            tables = _replace_by_name(tables, _source_tables(extra, faults))
    faults += _find_conflict_faults(tables, file.values.get("metrics_port"))
    if faults:
        raise ConfigError(faults)
    return _build_config(file, tables, root)


def drop_in_files(path: Path) -> list[Path]:
    """Return the files of the drop-in folder in the order in which they apply: `agent.d/*.toml` of `agent.toml`.

    Raises ConfigError when the folder cannot be listed.
    """
    faults: list[Fault] = []
    files = _list_drop_in_files(path, faults)
    if faults:
        raise ConfigError(faults)
    return files


def _list_drop_in_files(path: Path, faults: list[Fault]) -> list[Path]:
    """Return the drop-in files; a folder that cannot be listed is a fault: its sources would be missing."""
    folder = path.with_suffix(".d")
    try:
        files = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        faults.append(_unreadable(folder, error, "move it away; this is the name of the folder of drop-in files"))
        return []
    return [file for file in files if file.name.endswith(".toml") and not file.name.startswith(".")]


def _unreadable(path: Path, error: OSError | UnicodeDecodeError, remedy: str) -> Fault:
    if isinstance(error, PermissionError):
        mode = "0755" if path.is_dir() else "0644"
        return Fault(str(path), 0, "file", "the user of the agent may not read it", f"chmod {mode} {path}")
    return Fault(str(path), 0, "file", str(error), remedy)


def _read_toml(path: Path, remedy: str, faults: list[Fault]) -> _TomlFile | None:
    try:
        text = read_text_file(path)
        return _TomlFile(path, parse_toml(text), locate_keys(text))
    except TomlSyntaxError as error:
        faults.append(Fault(str(path), error.line, "syntax", f"is not TOML: {error.problem}", remedy))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(_unreadable(path, error, remedy))
    return None


def _find_faults(file: _TomlFile) -> list[Fault]:
    table = file.values
    remedy = f"one of {', '.join(sorted(_KEYS))}"
    faults = [
        file.fault((key,), f"no such key{_suggest_key(key, [*_KEYS])}", remedy) for key in table if key not in _KEYS
    ]
    faults += [
        file.fault((key,), f"not an id: {table.get(key)!r}", "letters a-z, digits and -, at most 63")
        for key in ("device", "centre")
        if not _ID_PATTERN.fullmatch(str(table.get(key, "")))
    ]
    faults += [
        file.fault((key,), _number_problem(table[key], minimum), "write a whole number")
        for key, minimum in _MINIMUMS.items()
        if key in table and (not isinstance(table[key], int) or isinstance(table[key], bool) or table[key] < minimum)
    ]
    services = table.get("services", [])
    if not isinstance(services, list) or not all(isinstance(s, str) and _ID_PATTERN.fullmatch(s) for s in services):
        problem, remedy = f"not a list of service ids: {services!r}", 'write it like ["land", "tax"]'
        faults.append(file.fault(("services",), problem, remedy))
    faults += _find_broker_faults(file) + _find_signer_faults(file)
    return faults + [
        file.fault((key,), f"not a text: {table[key]!r}", "write it in quotes")
        for key in _TEXT_KEYS
        if key in table and (not isinstance(table[key], str) or (not table[key] and key in {"outbox", "metrics_file"}))
    ]


def _number_problem(value: object, minimum: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value} is out of range: from {minimum} on"
    return f"not a whole number from {minimum} on: {value!r}"


def _find_broker_faults(file: _TomlFile) -> list[Fault]:
    address = file.values.get("mqtt")
    try:
        if isinstance(address, str):
            parse_broker_url(address)
    except ConfigError as error:
        return [file.fault(("mqtt",), fault.problem, fault.remedy) for fault in error.faults]
    return []


def _find_signer_faults(file: _TomlFile) -> list[Fault]:
    signers = file.values.get("signers", [])
    remedy = 'write it like ["NAME KEY"], as `motcua device key NAME` prints it'
    if not isinstance(signers, list) or not all(isinstance(text, str) for text in signers):
        return [file.fault(("signers",), "not a list of texts", remedy)]
    faults = []
    for text in signers:
        try:
            parse_signer(text)
        except ValueError as error:
            faults.append(file.fault(("signers",), str(error), remedy))
    return faults


def _find_drop_in_faults(file: _TomlFile) -> list[Fault]:
    remedy = "only [[source]] tables may be here; all else is in agent.toml"
    return [
        file.fault((key,), f"is not for a drop-in file{_suggest_key(key, ['source'])}", remedy)
        for key in file.values
        if key != "source"
    ]


def _suggest_key(key: str, known: list[str]) -> str:
    similar = difflib.get_close_matches(key, known, 1)
    return f", did you mean {similar[0]}?" if similar else ""


def _source_tables(file: _TomlFile, faults: list[Fault]) -> list[_SourceTable]:
    """Return the file's valid `[[source]]` tables; those with a fault are only reported."""
    tables = file.values.get("source", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        faults.append(file.fault(("source",), "not a list of tables", "write each source under [[source]]"))
        return []
    valid = []
    for position, values in enumerate(tables):
        table = _SourceTable(file, position, values)
        table_faults = find_setting_faults(values)
        faults += [table.fault(fault.key, fault.problem, fault.remedy) for fault in table_faults]
        if not table_faults:
            valid.append(table)
    return valid


def _replace_by_name(tables: list[_SourceTable], replacements: list[_SourceTable]) -> list[_SourceTable]:
    """Return the tables with those of a drop-in file in the place of their namesakes, the others at the end."""
    by_name: dict[str, list[_SourceTable]] = {}
    for table in replacements:
        by_name.setdefault(_name_of(table), []).append(table)
    merged: list[_SourceTable] = []
    for table in tables:
        merged += by_name.pop(_name_of(table), [table])
    return [*merged, *(table for group in by_name.values() for table in group)]


def _name_of(table: _SourceTable) -> str:
    return source_name(table.values["kind"], table.values)


def _find_conflict_faults(tables: list[_SourceTable], metrics_port: object) -> list[Fault]:
    faults = []
    for conflict in find_conflicts([table.values for table in tables]):
        first, second = tables[conflict.first], tables[conflict.second]
        line = first.file.lines.get(("source", first.position), 1)
        problem = f"{conflict.fault.problem} ({first.file.path.name}:{line})"
        faults.append(second.fault(conflict.fault.key, problem, conflict.fault.remedy))
    return faults + [
        table.fault("port", f"{metrics_port} is the port of metrics_port, too", "write another")
        for table in tables
        if "port" in table.values and table.values["port"] == metrics_port
    ]


def _build_config(file: _TomlFile, tables: list[_SourceTable], root: Path | None) -> AgentConfig:
    table, folder = file.values, file.path.parent
    ca, cert, key = (_redirect(table.get(key, ""), root) for key in ("mqtt_ca", "mqtt_cert", "mqtt_key"))
    return AgentConfig(
        device=table["device"],
        centre=table["centre"],
        mqtt=table.get("mqtt", "mqtt://127.0.0.1:1883"),
        outbox=folder / _redirect(table.get("outbox", f"{table['device']}.db"), root),
        metrics_file=folder / _redirect(table["metrics_file"], root) if "metrics_file" in table else None,
        tls=(ca, cert, key),
        services=tuple(table.get("services", ())),
        sources=tuple(_build_source(source.values, root) for source in tables),
        signers=tuple(parse_signer(text) for text in table.get("signers", ())),
        **{key: table[key] for key in _MINIMUMS if key in table},
    )


def _build_source(values: Mapping[str, Any], root: Path | None) -> SourceConfig:
    kind = values["kind"]
    paths = {setting.key for setting in SOURCE_KINDS[kind].settings if setting.type == "path"}
    settings = {key: _redirect(value, root) if key in paths else value for key, value in values.items()}
    del settings["kind"]
    return SourceConfig(kind, settings)


def _redirect(name: str, root: Path | None) -> str:
    """Return a path as it is below `root`; relative ones are left, they start at the file's folder."""
    return name if root is None or not name.startswith("/") else str(root.absolute() / name.lstrip("/"))
