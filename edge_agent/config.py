"""Reads `agent.toml` (written by `motcua inventory render --device ID`) and reports all faults with their lines."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.delivery import DRAIN_ROWS_PER_S
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pathlib import Path

SOURCE_KEYS = {
    "host": {"every_ms"},
    "probe": {"system", "probe", "target", "every_ms", "isolate"},
    "file": {"path", "isolate"},
    "http": {"port"},
    "escpos": {"address", "every_ms", "isolate"},
    "queue_http": {"url", "mapping", "header_file", "every_ms", "isolate"},
}
"""Kinds of sources and the keys each may have beside `kind`.

`isolate = true` runs a source in its own process, for drivers that may hang or crash; the heartbeat and the local HTTP
source use the device's whole state and cannot be isolated.
"""
REQUIRED_KEYS = {
    "host": set[str](), "probe": {"system", "probe", "target"}, "file": {"path"}, "http": {"port"},
    "escpos": {"address"}, "queue_http": {"url"},
}  # fmt: skip
"""The keys that a source of each kind requires."""
NUMBER_KEYS = {"every_ms", "port"}
"""Keys whose value is a positive whole number."""
FLAG_KEYS = {"isolate"}
"""Keys whose value is true or false."""
_KEYS = {
    "device", "centre", "kind", "every_ms", "mqtt", "mqtt_ca", "mqtt_cert", "mqtt_key", "outbox", "cap_mb",
    "clock_hold_s", "drain_rows_per_s", "metrics_file", "metrics_port", "source",
}  # fmt: skip
_MINIMUMS = {"every_ms": 1, "cap_mb": 1, "clock_hold_s": 0, "drain_rows_per_s": 1, "metrics_port": 1}
_ID_PATTERN = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One `[[source]]` table."""

    kind: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One agent's configuration; paths are relative to the file."""

    device: str
    centre: str
    mqtt: str
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
    sources: tuple[SourceConfig, ...] = ()


def load(path: Path) -> AgentConfig:
    """Read the file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        remedy = "write it with: motcua inventory render --device ID"
        raise ConfigError([Fault(str(path), 0, "file", str(error), remedy)]) from error
    faults = list(_find_faults(path, text, table))
    if faults:
        raise ConfigError(faults)
    return _build_config(path, table)


def _find_faults(path: Path, text: str, table: dict[str, Any]) -> list[Fault]:
    def make_fault(key: str, problem: str, remedy: str) -> Fault:
        return Fault(str(path), _line_of_key(text, key), key, problem, remedy)

    faults = [make_fault(key, "no such key", f"one of {', '.join(sorted(_KEYS))}") for key in table if key not in _KEYS]
    faults += [
        make_fault(key, f"not an id: {table.get(key)!r}", "letters a-z, digits and -, at most 63")
        for key in ("device", "centre")
        if not _ID_PATTERN.fullmatch(str(table.get(key, "")))
    ]
    faults += [make_fault(key, problem, remedy) for key, problem, remedy in _value_faults(table)]
    sources = table.get("source", [])
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        return [*faults, make_fault("source", "not a list of tables", "write each source under [[source]]")]
    for source in sources:
        faults += [make_fault(key, problem, remedy) for key, problem, remedy in _source_faults(source)]
    return faults


def _value_faults(table: dict[str, Any]) -> list[tuple[str, str, str]]:
    faults = [
        (key, f"not a whole number from {minimum} on: {table[key]!r}", "write a whole number")
        for key, minimum in _MINIMUMS.items()
        if key in table and (not isinstance(table[key], int) or isinstance(table[key], bool) or table[key] < minimum)
    ]
    metrics_file = table.get("metrics_file", "-")
    if not isinstance(metrics_file, str) or not metrics_file:
        faults.append(("metrics_file", f"not a path: {metrics_file!r}", 'write it in quotes, like "motcua.prom"'))
    return faults


def _source_faults(source: dict[str, Any]) -> list[tuple[str, str, str]]:
    kind = source.get("kind")
    if kind not in SOURCE_KEYS:
        return [("kind", f"no such source: {kind!r}", f"one of {', '.join(SOURCE_KEYS)}")]
    keys = set(source) - {"kind"}
    faults = [(key, f"a {kind} source has no such key", "remove it") for key in sorted(keys - SOURCE_KEYS[kind])]
    faults += [
        (key, f"not a positive number: {source[key]!r}", "write a whole number")
        for key in sorted(keys & NUMBER_KEYS)
        if not isinstance(source[key], int) or isinstance(source[key], bool) or source[key] < 1
    ]
    faults += [
        (key, f"neither true nor false: {source[key]!r}", "write true or false")
        for key in sorted(keys & FLAG_KEYS)
        if not isinstance(source[key], bool)
    ]
    faults += [(key, f"a {kind} source needs it", "add it") for key in sorted(REQUIRED_KEYS[kind] - keys)]
    return faults + (_address_faults(source["address"]) if kind == "escpos" and "address" in keys else [])


def _address_faults(address: object) -> list[tuple[str, str, str]]:
    from edge_agent.sources.byte_stream import parse_device_address  # noqa: PLC0415  # only where there is a printer

    try:
        parse_device_address(str(address))
    except ValueError as error:
        problem, _, remedy = str(error).removeprefix("address: ").partition("; ")
        return [("address", problem, remedy)]
    return []


def _line_of_key(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[+)?{re.escape(key)}\b", line):
            return number
    return 1


def _build_config(path: Path, table: dict[str, Any]) -> AgentConfig:
    tables = table.get("source", [])
    sources = tuple(SourceConfig(s["kind"], {k: v for k, v in s.items() if k != "kind"}) for s in tables)
    return AgentConfig(
        device=table["device"],
        centre=table["centre"],
        mqtt=table.get("mqtt", "mqtt://127.0.0.1:1883"),
        outbox=path.parent / table.get("outbox", f"{table['device']}.db"),
        metrics_file=path.parent / table["metrics_file"] if "metrics_file" in table else None,
        tls=(table.get("mqtt_ca", ""), table.get("mqtt_cert", ""), table.get("mqtt_key", "")),
        sources=sources,
        **{key: table[key] for key in _MINIMUMS if key in table},
    )
