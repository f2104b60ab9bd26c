"""The Pulumi program: configuration → inventory → plan → target → outputs. It must not know what any target makes."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from dashboards.files import provisioned
from infra.options import SECRETS, options
from infra.plan import plan
from infra.policy.rules import findings
from telemetry import inventory
from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from infra.options import Options
    from infra.plan import Plan
    from telemetry.core.inventory import Inventory

PROJECT = "motcua:"


def run() -> None:
    """Deploy the stack and export its outputs; every fault of configuration and inventory is told at once."""
    try:
        made = _deployed(_configured(), Path(pulumi.get_root_directory()))
    except (ConfigError, InventoryError) as error:
        raise pulumi.RunError("\n" + "\n".join(str(fault) for fault in error.faults)) from None
    for name, value in made.items():
        pulumi.export(name, value)


def _configured() -> dict[str, object]:
    """Return the stack's configuration without the project's name; structures come as JSON."""
    given: dict[str, str] = json.loads(os.environ.get("PULUMI_CONFIG") or "{}")
    return {name.removeprefix(PROJECT): _value(text) for name, text in given.items() if name.startswith(PROJECT)}


def _value(text: str) -> object:
    if text.startswith(("{", "[")) or text in {"true", "false"} or text.isdecimal():
        return json.loads(text)
    return text


def _deployed(values: dict[str, object], root: Path) -> Mapping[str, pulumi.Input[object]]:
    stack = f"Pulumi.{pulumi.get_stack()}.yaml"
    _encrypted(values, stack)
    wanted, today = options(values, stack), datetime.now(UTC).date()
    world = inventory.load(root / wanted.inventory)
    found = plan(world, wanted, today, provisioned())
    _kept(found, wanted, today, stack)
    secrets = {name: pulumi.Output.secret(str(values[name])) for name in SECRETS if values.get(name)}
    _complete(wanted, secrets)
    return _target(found, wanted, world, root, secrets)


def _encrypted(values: Mapping[str, object], stack: str) -> None:
    """Refuse a secret that stands open in the stack file. Raises ConfigError."""
    hidden = {name.removeprefix(PROJECT) for name in json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")}
    remedy = "give it a new value with `pulumi config set --secret {}`; this one must count as known"
    faults = [
        Fault(stack, 0, PROJECT + name, "is a secret and stands open in the stack file", remedy.format(name))
        for name in SECRETS
        if name in values and name not in hidden
    ]
    if faults:
        raise ConfigError(faults)


def _kept(found: Plan, wanted: Options, today: date, stack: str) -> None:
    """Refuse what breaks a rule that must be kept; say what breaks another. Raises ConfigError."""
    broken = findings(found, wanted, today)
    for one in broken:
        if one.severity != "mandatory":
            pulumi.warn(str(one))
    faults = [Fault(stack, 0, one.rule, one.problem, one.remedy) for one in broken if one.severity == "mandatory"]
    if faults:
        raise ConfigError(faults)


def _complete(wanted: Options, secrets: Mapping[str, object]) -> None:
    """Refuse to begin without the secrets that will be needed. Raises ConfigError."""
    needed = {
        "influxToken": wanted.target != "openstack",
        "influxPassword": wanted.target == "kubernetes",
        "brokerPassword": wanted.broker.form == "dynsec",
        "nationalToken": wanted.national is not None and wanted.target != "openstack",
    }
    stack = f"Pulumi.{pulumi.get_stack()}.yaml"
    missing = [name for name, need in needed.items() if need and name not in secrets]
    if missing:
        remedy = "set it with `pulumi config set --secret {}`"
        raise ConfigError([Fault(stack, 0, PROJECT + one, "is missing", remedy.format(one)) for one in missing])


def _target(
    found: Plan, wanted: Options, world: Inventory, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> Mapping[str, pulumi.Input[object]]:
    """Import only the target that is asked for: the others' libraries are large."""
    if wanted.target == "local":
        from infra.targets.local.program import deploy as deploy_local  # noqa: PLC0415

        return deploy_local(found, wanted, root, secrets)
    if wanted.target == "kubernetes":
        from infra.targets.kubernetes.stack import deploy as deploy_cluster  # noqa: PLC0415

        return deploy_cluster(found, wanted, root, secrets)
    from infra.targets.openstack.stack import deploy as deploy_cloud  # noqa: PLC0415

    return deploy_cloud(found, wanted, world, root, secrets)
