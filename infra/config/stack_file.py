"""Reads a stack's configuration: from its file with the line of every key, or as the engine passes it to the program.

Options are checked, of secrets only presence and encryption are checked. It queries no server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import yaml

from infra.config.options import (
    REMOVED,
    SECRET_NAMES,
    StackOptions,
    best_effort_options,
    nearest_line,
    parse_options,
)
from telemetry import inventory
from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set as AbstractSet
    from pathlib import Path

    from telemetry.core.inventory import Inventory

CONFIG_PREFIX = "motcua:"
STACKS_FOLDER = "infra/stacks"
"""The folder of the stack files, from the project's root; Pulumi.yaml names it too."""
FOREIGN_SECRETS = frozenset({
    "kubernetes:kubeconfig", "openstack:applicationCredentialSecret", "openstack:password", "openstack:token",
})  # fmt: skip
"""Secrets of other providers in a stack file, which must be encrypted too."""
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """A stack's configuration as the engine passes it: values without the project's name, and which are encrypted.

    `lines` has the line of every key in the stack file; it is empty when the values come from another file.
    """

    file: str
    values: Mapping[str, object]
    encrypted: frozenset[str]
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def secrets(self) -> dict[str, str]:
        """Return the secrets that have a value, by name."""
        return {name: str(self.values[name]) for name in SECRET_NAMES if self.values.get(name)}

    def locate(self, fault: Fault) -> Fault:
        """Return a fault of a key with the stack file and the key's line, any other fault unchanged."""
        if fault.line or not fault.field.startswith(CONFIG_PREFIX):
            return fault
        return replace(fault, file=self.file, line=nearest_line(self.lines, fault.field.removeprefix(CONFIG_PREFIX)))


def read_engine_config(environment: Mapping[str, str], stack: str, root: Path) -> EngineConfig:
    """Return the configuration of the stack; the engine passes numbers and structures as JSON texts.

    `root` is the project's folder: the engine passes no lines, so they are read from the stack's file.
    """
    config: dict[str, str] = json.loads(environment.get("PULUMI_CONFIG") or "{}")
    encrypted: list[str] = json.loads(environment.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")
    texts = {name.removeprefix(CONFIG_PREFIX): text for name, text in config.items() if name.startswith(CONFIG_PREFIX)}
    values = {name: text if name in SECRET_NAMES else _parse_engine_value(text) for name, text in texts.items()}
    names = frozenset(name.removeprefix(CONFIG_PREFIX) for name in encrypted)
    file = f"{STACKS_FOLDER}/Pulumi.{stack}.yaml"
    return EngineConfig(file, values, names, _engine_lines(root / file, values.keys()))


def locate_faults(path: Path, faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults of a stack file's keys, each at its key's line."""
    lines = dict(_key_lines(_child_node(_compose_document(path), "config"), "")) if path.is_file() else {}
    config = EngineConfig(str(path), {}, frozenset(), lines)
    return sorted(config.locate(fault) for fault in faults)


def _engine_lines(path: Path, names: AbstractSet[str]) -> dict[str, int]:
    """Return the line of every key of a stack file; none when the engine's values are not this file's."""
    try:
        config = _child_node(_compose_document(path), "config")
    except ConfigError:
        return {}
    own_keys = {str(key.value) for key, _ in config.value} if isinstance(config, yaml.MappingNode) else set()
    declared = {key.removeprefix(CONFIG_PREFIX) for key in own_keys if key.startswith(CONFIG_PREFIX)}
    return dict(_key_lines(config, "")) if declared == names else {}


def _parse_engine_value(text: str) -> object:
    if text.startswith(("{", "[")) or text in {"true", "false"} or text.isdecimal():
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def load_declarations(config: EngineConfig, root: Path) -> tuple[StackOptions, Inventory]:
    """Return the checked options and the inventory they name. Raises ConfigError with the faults of both at once."""
    faults: list[Fault] = []
    options, loaded = None, None
    try:
        options = parse_options(config.values, config.file, config.lines)
    except ConfigError as error:
        faults += error.faults
    try:
        folder = config.values.get("inventory") or StackOptions.model_fields["inventory"].default
        loaded = inventory.load(root / str(folder))
    except (ConfigError, InventoryError) as error:
        faults += error.faults
    faults += _secret_faults(config, options or best_effort_options(config.values), root)
    if options is None or loaded is None or faults:
        raise ConfigError(faults)
    return options, loaded


def _secret_faults(config: EngineConfig, options: StackOptions, root: Path) -> Iterator[Fault]:
    """Name secrets in plain text, secrets that the target needs and that are missing, and a root that is no file."""
    for name in SECRET_NAMES:
        if name in config.values and name not in config.encrypted:
            yield _plain_text_fault(config.file, 0, CONFIG_PREFIX + name)
    has_stack = options.cloud.part == "motcua" or bool(options.cloud.own_system)
    needed = {
        "influxToken": has_stack and options.target != "openstack",
        "influxPassword": has_stack and options.target == "kubernetes",
        "nationalToken": has_stack and options.national is not None and options.target != "openstack",
    }
    for name, need in needed.items():
        if need and not config.values.get(name):
            remedy = f"set it with `pulumi config set --secret {name}`"
            yield Fault(config.file, 0, CONFIG_PREFIX + name, "is missing", remedy)
    path = options.pki.root_certificate
    if path and not path.startswith("-----BEGIN") and not (root / path).is_file():
        remedy = "name the certificate that `motcua ca root` wrote, from the project's root"
        yield Fault(config.file, 0, CONFIG_PREFIX + "pki.rootCertificate", f"there is no file {path}", remedy)


def _plain_text_fault(file: str, line: int, name: str) -> Fault:
    remedy = f"take it out and use `pulumi config set --secret {name}` with a new value; this one counts as disclosed"
    return Fault(file, line, name, "is a secret in plain text", remedy)


def load_options(path: Path) -> StackOptions:
    """Return the checked options of a stack file; raises ConfigError with every fault and its line."""
    config = _child_node(_compose_document(path), "config")
    lines = dict(_key_lines(config, ""))
    values, faults = _construct_values(path, config)
    faults += [*_duplicate_keys(path, config), *_misplaced_key_faults(path, values, lines)]
    faulty_fields = {fault.field for fault in faults}
    own_values = {
        key: _parse_engine_value(value) if isinstance(value, str) and value.startswith(("{", "[")) else value
        for name, value in values.items()
        if name.startswith(CONFIG_PREFIX)
        and ((key := name.removeprefix(CONFIG_PREFIX)) in REMOVED or not (key in SECRET_NAMES or _is_encrypted(value)))
    }
    try:
        parsed = parse_options(own_values, str(path), lines)
    except ConfigError as error:
        faults += [
            fault for fault in error.faults if fault.field not in faulty_fields and "config" not in faulty_fields
        ]
    if faults:
        raise ConfigError(sorted(faults))
    return parsed


def value_and_line(path: Path, key: str) -> tuple[str, int]:
    """Return text and line of one plain value, ("", 0) when there is none, even if the file has other faults."""
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
        position = getattr(error, "problem_mark", None)
        line = position.line + 1 if position else 0
        raise ConfigError([Fault(str(path), line, "file", "is not YAML", "correct it near that line")]) from None


def _construct_values(path: Path, config: yaml.Node | None) -> tuple[dict[str, object], list[Fault]]:
    """Return the configuration by full name, and a fault for each value that YAML cannot construct."""
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
            faults.append(_fault_at(path, node, str(key.value), "is not a YAML value", "correct it, or quote it"))
    return values, faults


def _fault_at(path: Path, node: yaml.Node, name: str, problem: str, remedy: str) -> Fault:
    return Fault(str(path), node.start_mark.line + 1, name, problem, remedy)


def _exceeds_depth(node: yaml.Node, levels_left: int) -> bool:
    """Return whether a node has more levels than allowed, as one that contains itself has."""
    if not isinstance(node, yaml.CollectionNode):
        return False
    inner = [child for entry in node.value for child in (entry if isinstance(entry, tuple) else (entry,))]
    return levels_left == 0 or any(_exceeds_depth(child, levels_left - 1) for child in inner)


def _misplaced_key_faults(path: Path, values: Mapping[str, object], lines: Mapping[str, int]) -> Iterator[Fault]:
    """Name secrets in plain text, options that are encrypted, and keys without the project's name."""
    for name, value in values.items():
        is_own, key = name.startswith(CONFIG_PREFIX), name.removeprefix(CONFIG_PREFIX)
        if is_own and key in REMOVED:
            continue
        is_secret = name in FOREIGN_SECRETS or (is_own and key in SECRET_NAMES)
        line = lines.get(key, 0)
        if is_secret and not _is_encrypted(value):
            yield _plain_text_fault(str(path), line, name)
        elif ":" not in name:
            yield Fault(str(path), line, name, "has no project's name before it", f"write {CONFIG_PREFIX}{name}")
        elif is_own and not is_secret and _is_encrypted(value):
            remedy = f"use `pulumi config set {name}` without --secret"
            yield Fault(str(path), line, name, "is encrypted, but no secret", remedy)


def _duplicate_keys(
    path: Path, node: yaml.Node | None, prefix: str = "", levels_left: int = MAX_DEPTH
) -> Iterator[Fault]:
    """Name keys that occur twice in one mapping, of which YAML would use the last."""
    if not isinstance(node, yaml.MappingNode) or levels_left == 0:
        return
    seen_names: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen_names:
            yield _fault_at(path, key, f"{prefix}{name}", "occurs a second time", "keep one of them")
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
