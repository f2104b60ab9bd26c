"""Reads `agent.toml` (written by `motcua inventory render --device ID`); every fault at once, with its line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "host": {"every_ms"},
    "probe": {"system", "probe", "target", "every_ms"},
    "file": {"path"},
    "http": {"port"},
}
"""Kinds of sources and the keys each may have beside `kind`."""
_NEEDED = {"host": set[str](), "probe": {"system", "probe", "target"}, "file": {"path"}, "http": {"port"}}
_KEYS = {
    "device",
    "centre",
    "kind",
    "every_ms",
    "mqtt",
    "mqtt_ca",
    "mqtt_cert",
    "mqtt_key",
    "outbox",
    "cap_mb",
    "source",
}
NUMBERS = {"every_ms", "port"}
_ID = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One `[[source]]` table."""

    kind: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What one agent is told; paths are relative to the file."""

    device: str
    centre: str
    mqtt: str
    outbox: Path
    every_ms: int = 60_000
    cap_mb: int = 256
    tls: tuple[str, str, str] = ("", "", "")
    sources: tuple[SourceConfig, ...] = ()


def load(path: Path) -> AgentConfig:
    """Read the file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        remedy = "write it with: motcua inventory render --device ID"
        raise ConfigError([Fault(str(path), 0, "file", str(error), remedy)]) from error
    faults = list(_faults(path, text, table))
    if faults:
        raise ConfigError(faults)
    return _built(path, table)


def _faults(path: Path, text: str, table: dict[str, Any]) -> list[Fault]:
    def fault(key: str, problem: str, remedy: str) -> Fault:
        return Fault(str(path), _line(text, key), key, problem, remedy)

    found = [fault(key, "no such key", f"one of {', '.join(sorted(_KEYS))}") for key in table if key not in _KEYS]
    found += [
        fault(key, f"not an id: {table.get(key)!r}", "letters a-z, digits and -, at most 63")
        for key in ("device", "centre")
        if not _ID.fullmatch(str(table.get(key, "")))
    ]
    for key in ("every_ms", "cap_mb"):
        value = table.get(key, 1)
        if not isinstance(value, int) or value < 1:
            found.append(fault(key, f"not a positive number: {value!r}", "write a whole number"))
    sources = table.get("source", [])
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        return [*found, fault("source", "not a list of tables", "write each source under [[source]]")]
    for source in sources:
        found += [fault(key, problem, remedy) for key, problem, remedy in _source_faults(source)]
    return found


def _source_faults(source: dict[str, Any]) -> list[tuple[str, str, str]]:
    kind = source.get("kind")
    if kind not in SOURCES:
        return [("kind", f"no such source: {kind!r}", f"one of {', '.join(SOURCES)}")]
    given = set(source) - {"kind"}
    wrong = [(key, f"a {kind} source has no such key", "remove it") for key in sorted(given - SOURCES[kind])]
    wrong += [
        (key, f"not a positive number: {source[key]!r}", "write a whole number")
        for key in sorted(given & NUMBERS)
        if not isinstance(source[key], int) or source[key] < 1
    ]
    return wrong + [(key, f"a {kind} source needs it", "add it") for key in sorted(_NEEDED[kind] - given)]


def _line(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[+)?{re.escape(key)}\b", line):
            return number
    return 1


def _built(path: Path, table: dict[str, Any]) -> AgentConfig:
    sources = tuple(
        SourceConfig(s["kind"], {k: v for k, v in s.items() if k != "kind"}) for s in table.get("source", [])
    )
    return AgentConfig(
        device=table["device"],
        centre=table["centre"],
        mqtt=table.get("mqtt", "mqtt://127.0.0.1:1883"),
        outbox=path.parent / table.get("outbox", f"{table['device']}.db"),
        every_ms=table.get("every_ms", 60_000),
        cap_mb=table.get("cap_mb", 256),
        tls=(table.get("mqtt_ca", ""), table.get("mqtt_cert", ""), table.get("mqtt_key", "")),
        sources=sources,
    )
