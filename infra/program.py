"""The Pulumi program: configuration → inventory → plan → target → outputs. It must not know what any target makes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pulumi

from dashboards.files import load_provisioned_files
from infra.config.options import SECRET_NAMES, StackOptions, best_effort_options, parse_options
from infra.plan import build_plan
from infra.policy.rules import check_plan
from telemetry import inventory
from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory

CONFIG_PREFIX = "motcua:"
Result = TypeVar("Result")


def deploy_stack() -> None:
    """Deploy the stack and export its outputs; every fault of configuration and inventory is told at once."""
    try:
        outputs = _check_and_deploy(_stack_config(), Path(pulumi.get_root_directory()))
    except (ConfigError, InventoryError) as error:
        raise pulumi.RunError("\n" + "\n".join(str(fault) for fault in error.faults)) from None
    for name, value in outputs.items():
        pulumi.export(name, value)


def _stack_config() -> dict[str, object]:
    """Return the stack's configuration without the project's name; structures come as JSON."""
    config: dict[str, str] = json.loads(os.environ.get("PULUMI_CONFIG") or "{}")
    own_values = {
        name.removeprefix(CONFIG_PREFIX): text for name, text in config.items() if name.startswith(CONFIG_PREFIX)
    }
    return {name: text if name in SECRET_NAMES else _parse_config_value(text) for name, text in own_values.items()}


def _parse_config_value(text: str) -> object:
    if text.startswith(("{", "[")) or text in {"true", "false"} or text.isdecimal():
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


@dataclass
class _FaultCollector:
    """Faults of several things that are checked one after the other, to be told together."""

    faults: list[Fault] = field(default_factory=list)

    def collect(self, load: Callable[[], Result]) -> Result | None:
        """Return what comes of it, or None and remember its faults."""
        try:
            return load()
        except (ConfigError, InventoryError) as error:
            self.faults += error.faults
            return None


def _check_and_deploy(values: dict[str, object], root: Path) -> Mapping[str, pulumi.Input[object]]:
    stack, faults, today = f"Pulumi.{pulumi.get_stack()}.yaml", _FaultCollector(), datetime.now(UTC).date()
    stack_options = faults.collect(lambda: parse_options(values, stack))
    folder = str(values.get("inventory") or StackOptions.model_fields["inventory"].default)
    loaded_inventory = faults.collect(lambda: inventory.load(root / folder))
    readable_options = stack_options or best_effort_options(values)
    faults.faults += [
        *_plain_text_secrets(values, stack),
        *_missing_secrets(readable_options, values, stack),
        *_missing_root_file(readable_options, root, stack),
    ]
    if stack_options is None or loaded_inventory is None or faults.faults:
        raise ConfigError(faults.faults)
    stack_plan = build_plan(loaded_inventory, stack_options, today, load_provisioned_files())
    _enforce_policies(stack_plan, stack_options, today, stack)
    secrets = {name: pulumi.Output.secret(str(values[name])) for name in SECRET_NAMES if values.get(name)}
    return _deploy_target(stack_plan, stack_options, loaded_inventory, root, secrets)


def _plain_text_secrets(values: Mapping[str, object], stack: str) -> list[Fault]:
    """Name the secrets that stand open in the stack file."""
    hidden = {
        name.removeprefix(CONFIG_PREFIX) for name in json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")
    }
    remedy = "give it a new value with `pulumi config set --secret {}`; this one must count as known"
    return [
        Fault(stack, 0, CONFIG_PREFIX + name, "is a secret and stands open in the stack file", remedy.format(name))
        for name in SECRET_NAMES
        if name in values and name not in hidden
    ]


def _missing_secrets(stack_options: StackOptions, values: Mapping[str, object], stack: str) -> list[Fault]:
    """Name the secrets that will be needed and are not there."""
    needed = {
        "influxToken": stack_options.target != "openstack",
        "influxPassword": stack_options.target == "kubernetes",
        "nationalToken": stack_options.national is not None and stack_options.target != "openstack",
    }
    remedy = "set it with `pulumi config set --secret {}`"
    return [
        Fault(stack, 0, CONFIG_PREFIX + name, "is missing", remedy.format(name))
        for name, need in needed.items()
        if need and not values.get(name)
    ]


def _missing_root_file(stack_options: StackOptions, root: Path, stack: str) -> list[Fault]:
    """Name a root's certificate that is no file."""
    certificate_path = stack_options.pki.root_certificate
    if not certificate_path or certificate_path.startswith("-----BEGIN") or (root / certificate_path).is_file():
        return []
    remedy = "name the certificate that `motcua ca root` wrote, from the project's root"
    return [Fault(stack, 0, CONFIG_PREFIX + "pki.rootCertificate", f"there is no file {certificate_path}", remedy)]


def _enforce_policies(stack_plan: StackPlan, stack_options: StackOptions, today: date, stack: str) -> None:
    """Refuse what breaks a rule that must be kept; say what breaks another. Raises ConfigError."""
    violations = check_plan(stack_plan, stack_options, today)
    for violation in violations:
        if violation.severity != "mandatory":
            pulumi.warn(str(violation))
    faults = [
        Fault(stack, 0, violation.rule, violation.problem, violation.remedy)
        for violation in violations
        if violation.severity == "mandatory"
    ]
    if faults:
        raise ConfigError(faults)


def _deploy_target(
    stack_plan: StackPlan,
    stack_options: StackOptions,
    loaded_inventory: Inventory,
    root: Path,
    secrets: Mapping[str, pulumi.Output[str]],
) -> Mapping[str, pulumi.Input[object]]:
    """Import only the target that is asked for: the others' libraries are large."""
    if stack_options.target == "local":
        from infra.targets.local.deploy import deploy_machine as deploy_local  # noqa: PLC0415

        return deploy_local(stack_plan, stack_options, root, secrets)
    if stack_options.target == "kubernetes":
        from infra.targets.kubernetes.deploy import deploy_stack as deploy_cluster  # noqa: PLC0415

        return deploy_cluster(stack_plan, stack_options, root, secrets)
    from infra.targets.openstack.deploy import deploy_stack as deploy_cloud  # noqa: PLC0415

    return deploy_cloud(stack_plan, stack_options, loaded_inventory, root, secrets)
