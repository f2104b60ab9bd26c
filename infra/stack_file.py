"""Reads a stack file (Pulumi.NAME.yaml) without an engine, with the line of every key. It must not read secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from infra.options import options
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from infra.options import Options

PROJECT = "motcua:"


def load(path: Path) -> Options:
    """Return the checked options of a stack file; raises ConfigError with every fault and its line."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except OSError as error:
        remedy = "name a stack file, for example infra/stacks/Pulumi.local.yaml"
        raise ConfigError([Fault(str(path), 0, "--stack-file", str(error.strerror), remedy)]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        raise ConfigError([Fault(str(path), line, "file", "is not YAML", "correct it near that line")]) from None
    config = _child(node, "config")
    lines = dict(_lines(config, ""))
    values = {} if config is None else yaml.SafeLoader("").construct_document(config)
    known = {name.removeprefix(PROJECT): value for name, value in (values or {}).items() if name.startswith(PROJECT)}
    return options({name: value for name, value in known.items() if not _secret(value)}, str(path), lines)


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _lines(node: yaml.Node | None, prefix: str) -> list[tuple[str, int]]:
    """Return (dotted key without the project's name, line) of every key."""
    if not isinstance(node, yaml.MappingNode):
        return []
    found: list[tuple[str, int]] = []
    for key, value in node.value:
        name = f"{prefix}{str(key.value).removeprefix(PROJECT)}"
        found += [(name, key.start_mark.line + 1), *_lines(value, f"{name}.")]
    return found


def _secret(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}
