"""Reads a stack file (Pulumi.NAME.yaml) without an engine, with the line of every key. It must not read secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import yaml

from infra.config.options import REMOVED, SECRET_NAMES, parse_options
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.config.options import StackOptions

CONFIG_PREFIX = "motcua:"
FOREIGN_SECRETS = frozenset({
    "kubernetes:kubeconfig", "openstack:applicationCredentialSecret", "openstack:password", "openstack:token",
})  # fmt: skip
"""What other providers keep in a stack file, and must be encrypted too."""
MAX_DEPTH = 12


def load_options(path: Path) -> StackOptions:
    """Return the checked options of a stack file; raises ConfigError with every fault and its line."""
    config = _child_node(_compose_document(path), "config")
    lines = dict(_key_lines(config, ""))
    values, faults = _construct_values(path, config)
    faults += [*_duplicate_keys(path, config), *_misplaced_key_faults(path, values, lines)]
    faulty_fields = {fault.field for fault in faults}
    try:
        parsed = parse_options(_own_options(values), str(path), lines)
    except ConfigError as error:
        faults += [
            fault for fault in error.faults if fault.field not in faulty_fields and "config" not in faulty_fields
        ]
    if faults:
        raise ConfigError(sorted(faults))
    return parsed


def value_and_line(path: Path, key: str) -> tuple[str, int]:
    """Return the text of one of our plain values and its line, ("", 0) where there is none, whatever else is wrong."""
    try:
        config = _child_node(_compose_document(path), "config")
    except ConfigError:
        return "", 0
    node = _child_node(config, CONFIG_PREFIX + key)
    return (node.value, node.start_mark.line + 1) if isinstance(node, yaml.ScalarNode) else ("", 0)


def _compose_document(path: Path) -> yaml.Node | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        remedy = "name a stack file, for example infra/stacks/Pulumi.local.yaml"
        raise ConfigError([Fault(str(path), 0, "--stack-file", str(error.strerror), remedy)]) from None
    try:
        return yaml.compose(data.decode("utf-8-sig"), yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault(str(path), line, "file", "is not UTF-8", "save it as UTF-8")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([_yaml_fault(path, error)]) from None


def _yaml_fault(path: Path, error: Exception) -> Fault:
    position = getattr(error, "problem_mark", None)
    return Fault(str(path), position.line + 1 if position else 0, "file", "is not YAML", "correct it near that line")


def _construct_values(path: Path, config: yaml.Node | None) -> tuple[dict[str, object], list[Fault]]:
    """Return the configuration by full name, and the parts that YAML cannot make values of."""
    if config is None or config.tag == "tag:yaml.org,2002:null":
        return {}, []
    if not isinstance(config, yaml.MappingNode):
        return {}, [_fault_at(path, config, "config", "is no mapping", "write motcua:KEY: VALUE below it")]
    if _exceeds_depth(config, MAX_DEPTH):
        return {}, [_fault_at(path, config, "config", "is nested too deeply or within itself", "write it out flat")]
    values: dict[str, object] = {}
    faults = []
    for key, node in config.value:
        try:
            values[str(key.value)] = yaml.SafeLoader("").construct_document(node)
        except (yaml.YAMLError, ValueError, TypeError, OverflowError):
            faults.append(
                _fault_at(path, node, str(key.value), "is no value that YAML knows", "correct it, or quote it")
            )
    return values, faults


def _fault_at(path: Path, node: yaml.Node, name: str, problem: str, remedy: str) -> Fault:
    return Fault(str(path), node.start_mark.line + 1, name, problem, remedy)


def _exceeds_depth(node: yaml.Node, levels_left: int) -> bool:
    """Tell whether it is nested more than so many times, as one that holds itself is."""
    if not isinstance(node, yaml.CollectionNode):
        return False
    return levels_left == 0 or any(_exceeds_depth(inner, levels_left - 1) for inner in _child_nodes(node))


def _child_nodes(node: yaml.CollectionNode) -> Iterator[yaml.Node]:
    for entry in node.value:
        yield from entry if isinstance(entry, tuple) else (entry,)


def _own_options(values: Mapping[str, object]) -> dict[str, object]:
    own_values = {
        name.removeprefix(CONFIG_PREFIX): value for name, value in values.items() if name.startswith(CONFIG_PREFIX)
    }
    return {
        name: value
        for name, value in own_values.items()
        if name in REMOVED or not (name in SECRET_NAMES or _is_encrypted(value))
    }


def _misplaced_key_faults(path: Path, values: Mapping[str, object], lines: Mapping[str, int]) -> Iterator[Fault]:
    """Name secrets in plain text, options that are encrypted, and keys without the project's name."""
    for name, value in values.items():
        key = name.removeprefix(CONFIG_PREFIX)
        if name.startswith(CONFIG_PREFIX) and key in REMOVED:
            continue
        secret = name in FOREIGN_SECRETS or (name.startswith(CONFIG_PREFIX) and key in SECRET_NAMES)
        problem_and_remedy = _key_problem(name, secret=secret, encrypted=_is_encrypted(value))
        if problem_and_remedy:
            yield Fault(str(path), lines.get(key, 0), name, *problem_and_remedy)


def _key_problem(name: str, *, secret: bool, encrypted: bool) -> tuple[str, str] | None:
    if secret and not encrypted:
        remedy = f"take it out and use `pulumi config set --secret {name}`; treat this value as known to others"
        return "is a secret in plain text", remedy
    if ":" not in name:
        return "has no project's name before it", f"write {CONFIG_PREFIX}{name}"
    if encrypted and not secret and name.startswith(CONFIG_PREFIX):
        return "is encrypted, but no secret", f"use `pulumi config set {name}` without --secret"
    return None


def _duplicate_keys(
    path: Path, node: yaml.Node | None, prefix: str = "", levels_left: int = MAX_DEPTH
) -> Iterator[Fault]:
    """Name keys that stand twice in one mapping, of which YAML would keep the last."""
    if not isinstance(node, yaml.MappingNode) or levels_left == 0:
        return
    seen_names: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen_names:
            yield _fault_at(path, key, f"{prefix}{name}", "stands here a second time", "keep one of them")
        seen_names.add(name)
        yield from _duplicate_keys(path, value, f"{prefix}{name}.", levels_left - 1)


def _child_node(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((cast("yaml.Node", value) for key, value in node.value if key.value == name), None)


def _key_lines(node: yaml.Node | None, prefix: str, levels_left: int = MAX_DEPTH) -> Iterator[tuple[str, int]]:
    """Yield (dotted key without the project's name, line) of every key."""
    if not isinstance(node, yaml.MappingNode) or levels_left == 0:
        return
    for key, value in node.value:
        name = f"{prefix}{str(key.value).removeprefix(CONFIG_PREFIX)}"
        yield name, key.start_mark.line + 1
        yield from _key_lines(value, f"{name}.", levels_left - 1)


def _is_encrypted(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}
