"""Reads a stack file (Pulumi.NAME.yaml) without an engine, with the line of every key. It must not read secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import yaml

from infra.config.options import REMOVED, SECRETS, options
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.config.options import Options

PROJECT = "motcua:"
FOREIGN_SECRETS = frozenset({
    "kubernetes:kubeconfig", "openstack:applicationCredentialSecret", "openstack:password", "openstack:token",
})  # fmt: skip
"""What other providers keep in a stack file, and must be encrypted too."""
DEEPEST = 12


def load(path: Path) -> Options:
    """Return the checked options of a stack file; raises ConfigError with every fault and its line."""
    config = _child(_document(path), "config")
    lines = dict(_lines(config, ""))
    values, faults = _values(path, config)
    faults += [*_twice(path, config), *_misplaced(path, values, lines)]
    told = {fault.field for fault in faults}
    try:
        found = options(_ours(values), str(path), lines)
    except ConfigError as error:
        faults += [fault for fault in error.faults if fault.field not in told and "config" not in told]
    if faults:
        raise ConfigError(sorted(faults))
    return found


def said(path: Path, key: str) -> tuple[str, int]:
    """Return the text of one of our plain values and its line, ("", 0) where there is none, whatever else is wrong."""
    try:
        config = _child(_document(path), "config")
    except ConfigError:
        return "", 0
    node = _child(config, PROJECT + key)
    return (node.value, node.start_mark.line + 1) if isinstance(node, yaml.ScalarNode) else ("", 0)


def _document(path: Path) -> yaml.Node | None:
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
        raise ConfigError([_unreadable(path, error)]) from None


def _unreadable(path: Path, error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    return Fault(str(path), mark.line + 1 if mark else 0, "file", "is not YAML", "correct it near that line")


def _values(path: Path, config: yaml.Node | None) -> tuple[dict[str, object], list[Fault]]:
    """Return the configuration by full name, and the parts that YAML cannot make values of."""
    if config is None or config.tag == "tag:yaml.org,2002:null":
        return {}, []
    if not isinstance(config, yaml.MappingNode):
        return {}, [_at(path, config, "config", "is no mapping", "write motcua:KEY: VALUE below it")]
    if _deep(config, DEEPEST):
        return {}, [_at(path, config, "config", "is nested too deeply or within itself", "write it out flat")]
    found: dict[str, object] = {}
    faults = []
    for key, node in config.value:
        try:
            found[str(key.value)] = yaml.SafeLoader("").construct_document(node)
        except (yaml.YAMLError, ValueError, TypeError, OverflowError):
            faults.append(_at(path, node, str(key.value), "is no value that YAML knows", "correct it, or quote it"))
    return found, faults


def _at(path: Path, node: yaml.Node, name: str, problem: str, remedy: str) -> Fault:
    return Fault(str(path), node.start_mark.line + 1, name, problem, remedy)


def _deep(node: yaml.Node, left: int) -> bool:
    """Tell whether it is nested more than so many times, as one that holds itself is."""
    if not isinstance(node, yaml.CollectionNode):
        return False
    return left == 0 or any(_deep(inner, left - 1) for inner in _inside(node))


def _inside(node: yaml.CollectionNode) -> Iterator[yaml.Node]:
    for one in node.value:
        yield from one if isinstance(one, tuple) else (one,)


def _ours(values: Mapping[str, object]) -> dict[str, object]:
    ours = {name.removeprefix(PROJECT): value for name, value in values.items() if name.startswith(PROJECT)}
    return {name: value for name, value in ours.items() if name in REMOVED or not (name in SECRETS or _secret(value))}


def _misplaced(path: Path, values: Mapping[str, object], lines: Mapping[str, int]) -> Iterator[Fault]:
    """Name secrets in plain text, options that are encrypted, and keys without the project's name."""
    for name, value in values.items():
        key = name.removeprefix(PROJECT)
        if name.startswith(PROJECT) and key in REMOVED:
            continue
        secret = name in FOREIGN_SECRETS or (name.startswith(PROJECT) and key in SECRETS)
        said = _wrong(name, secret=secret, encrypted=_secret(value))
        if said:
            yield Fault(str(path), lines.get(key, 0), name, *said)


def _wrong(name: str, *, secret: bool, encrypted: bool) -> tuple[str, str] | None:
    if secret and not encrypted:
        remedy = f"take it out and use `pulumi config set --secret {name}`; treat this value as known to others"
        return "is a secret in plain text", remedy
    if ":" not in name:
        return "has no project's name before it", f"write {PROJECT}{name}"
    if encrypted and not secret and name.startswith(PROJECT):
        return "is encrypted, but no secret", f"use `pulumi config set {name}` without --secret"
    return None


def _twice(path: Path, node: yaml.Node | None, prefix: str = "", left: int = DEEPEST) -> Iterator[Fault]:
    """Name keys that stand twice in one mapping, of which YAML would keep the last."""
    if not isinstance(node, yaml.MappingNode) or left == 0:
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            yield _at(path, key, f"{prefix}{name}", "stands here a second time", "keep one of them")
        seen.add(name)
        yield from _twice(path, value, f"{prefix}{name}.", left - 1)


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((cast("yaml.Node", value) for key, value in node.value if key.value == name), None)


def _lines(node: yaml.Node | None, prefix: str, left: int = DEEPEST) -> Iterator[tuple[str, int]]:
    """Yield (dotted key without the project's name, line) of every key."""
    if not isinstance(node, yaml.MappingNode) or left == 0:
        return
    for key, value in node.value:
        name = f"{prefix}{str(key.value).removeprefix(PROJECT)}"
        yield name, key.start_mark.line + 1
        yield from _lines(value, f"{name}.", left - 1)


def _secret(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}
