"""What operators order of devices: a configuration read from a file, or a command, as the agent accepts it.

Pure: every fault of an order is listed at once, and nothing is sent that an agent could only refuse.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from edge_agent.remote.commands import COMMAND_ARGUMENTS, MAX_TTL_MS, Command
from edge_agent.remote.settings import ConfigDocument, RemoteSettings, SourceSettings
from telemetry.errors import ConfigError, Fault
from telemetry.toml_lines import TomlSyntaxError, locate_keys, parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.toml_lines import KeyPath

_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|min|h|d)")
_UNIT_MS = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class ConfigOrder(Struct, frozen=True, tag="config", forbid_unknown_fields=True):
    """A configuration, as each device gets it."""

    document: ConfigDocument

    @property
    def version(self) -> int:
        """Return the configuration's version."""
        return self.document.version

    def payload(self, now: int) -> bytes:
        """Return the message, the same at any time."""
        del now
        return msgspec.json.encode(self.document)


class CommandOrder(Struct, frozen=True, tag="command", forbid_unknown_fields=True):
    """A command; `id` is the same for all devices, each of which runs it once at most, however often it is sent."""

    id: str
    command: str
    args: dict[str, str] = {}
    valid_ms: int = 300_000

    def payload(self, now: int) -> bytes:
        """Return the message; it expires `valid_ms` after `now` (Unix ms)."""
        command = Command(v=1, id=self.id, command=self.command, expires=now + self.valid_ms, args=self.args)
        return msgspec.json.encode(command)


Order = ConfigOrder | CommandOrder


def parse_duration(text: str, option: str, longest_ms: int | None = None) -> int:
    """Return a duration like `90s`, `5min`, `12h` or `30d` in ms. Raises ConfigError."""
    match = _DURATION.fullmatch(text.strip())
    duration = int(match[1]) * _UNIT_MS[match[2]] if match else 0
    if duration and duration <= (longest_ms or duration):
        return duration
    problem = f"{text!r} is too long" if duration else f"{text!r} is not a duration"
    limit = f", {longest_ms // 3_600_000}h at most" if longest_ms else ""
    raise ConfigError([Fault("command line", 0, option, problem, f"write e.g. 90s, 5min, 12h or 30d{limit}")])


def parse_settings(text: str, file: str) -> RemoteSettings:
    """Return the settings of a TOML text. Raises ConfigError with every fault, each with its line."""
    try:
        values = parse_toml(text)
    except TomlSyntaxError as error:
        fault = Fault(file, error.line, "syntax", f"is not TOML: {error.problem}", "correct that line")
        raise ConfigError([fault]) from None
    lines = locate_keys(text)
    plain = {key: value for key, value in values.items() if key != "sources"}
    faults = _find_value_faults(RemoteSettings, plain, (), lines, file)
    sources = values.get("sources", {})
    if isinstance(sources, dict):
        for name, settings in sources.items():
            faults += _find_source_faults(name, settings, lines, file)
    else:
        faults.append(Fault(file, lines.get(("sources",), 1), "sources", "is not a table", "write [sources.NAME]"))
    if not values:
        faults.append(Fault(file, 1, "settings", "there is none", f"write one of {_names_of(RemoteSettings)}"))
    if faults:
        raise ConfigError(sorted(faults))
    return msgspec.convert(values, RemoteSettings)


def _find_source_faults(name: str, settings: object, lines: Mapping[KeyPath, int], file: str) -> list[Fault]:
    if isinstance(settings, dict):
        return _find_value_faults(SourceSettings, settings, ("sources", name), lines, file)
    line = lines.get(("sources", name), 1)
    return [Fault(file, line, f"sources.{name}", "is not a table", f"write [sources.{name}] and every_ms below it")]


def _find_value_faults(
    settings_type: type[Struct], values: Mapping[str, Any], path: KeyPath, lines: Mapping[KeyPath, int], file: str
) -> list[Fault]:
    """Return the faults of a table's keys and values, by the types of the agent's own settings."""
    types = {field.name: field.type for field in msgspec.structs.fields(settings_type)}
    faults = []
    for key, value in values.items():
        line, where = lines.get((*path, key), lines.get(path, 1)), ".".join(map(str, (*path, key)))
        if key not in types or key == "sources":
            near = difflib.get_close_matches(key, types, 1)
            problem = "cannot be set remotely" + (f", did you mean {near[0]}?" if near else "")
            faults.append(Fault(file, line, where, problem, f"one of {_names_of(settings_type)}"))
            continue
        try:
            msgspec.convert(value, types[key])
        except msgspec.ValidationError as error:
            faults.append(Fault(file, line, where, f"{value!r}: {error}", "write a value that the agent accepts"))
    return faults


def _names_of(settings_type: type[Struct]) -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(settings_type))


def undeclared_sources(settings: RemoteSettings, sources_by_device: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return each source that the settings name, with how many of the devices do not have it in the inventory."""
    counts = {
        name: sum(name not in sources for sources in sources_by_device.values()) for name in sorted(settings.sources)
    }
    return {name: count for name, count in counts.items() if count}


def parse_command(command: str, arguments: Sequence[str], ident: str, valid_ms: int) -> CommandOrder:
    """Return the order of a command with its `NAME=VALUE` arguments. Raises ConfigError with every fault."""
    faults = []
    args = dict(text.partition("=")[::2] for text in arguments)
    if command not in COMMAND_ARGUMENTS:
        near = difflib.get_close_matches(command, COMMAND_ARGUMENTS, 1)
        problem = f"no command of the agent: {command!r}" + (f", did you mean {near[0]}?" if near else "")
        faults.append(Fault("command line", 0, "COMMAND", problem, f"one of {', '.join(COMMAND_ARGUMENTS)}"))
    wanted = COMMAND_ARGUMENTS.get(command)
    faults += [
        Fault("command line", 0, "--arg", f"{command} needs {name}", f"write --arg {name}=VALUE")
        for name in sorted((wanted or set()) - args.keys())
    ]
    for name in sorted(args.keys() - wanted) if wanted is not None else ():
        remedy = f"one of {', '.join(sorted(wanted))}" if wanted else "leave it out"
        faults.append(Fault("command line", 0, "--arg", f"{command} has no argument {name!r}", remedy))
    if any("=" not in text for text in arguments):
        faults.append(Fault("command line", 0, "--arg", "not NAME=VALUE", "write e.g. --arg source=host"))
    if not 0 < valid_ms <= MAX_TTL_MS:
        remedy = f"at most {MAX_TTL_MS // 3_600_000}h"
        faults.append(Fault("command line", 0, "--valid-for", "a command may not be valid so long", remedy))
    if faults:
        raise ConfigError(faults)
    return CommandOrder(ident, command, args, valid_ms)
