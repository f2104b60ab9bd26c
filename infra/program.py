"""The Pulumi program: configuration → inventory → plan → target → outputs. It must not know what any target makes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pulumi

from dashboards.files import provisioned
from infra.config.options import SECRETS, Options, options, readable
from infra.plan import plan
from infra.policy.rules import findings
from telemetry import inventory
from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from infra.plan import Plan
    from telemetry.core.inventory import Inventory

PROJECT = "motcua:"
Found = TypeVar("Found")


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
    ours = {name.removeprefix(PROJECT): text for name, text in given.items() if name.startswith(PROJECT)}
    return {name: text if name in SECRETS else _value(text) for name, text in ours.items()}


def _value(text: str) -> object:
    if text.startswith(("{", "[")) or text in {"true", "false"} or text.isdecimal():
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


@dataclass
class _Faults:
    """Faults of several things that are checked one after the other, to be told together."""

    found: list[Fault] = field(default_factory=list)

    def of(self, work: Callable[[], Found]) -> Found | None:
        """Return what comes of it, or None and remember its faults."""
        try:
            return work()
        except (ConfigError, InventoryError) as error:
            self.found += error.faults
            return None


def _deployed(values: dict[str, object], root: Path) -> Mapping[str, pulumi.Input[object]]:
    stack, faults, today = f"Pulumi.{pulumi.get_stack()}.yaml", _Faults(), datetime.now(UTC).date()
    wanted = faults.of(lambda: options(values, stack))
    folder = str(values.get("inventory") or Options.model_fields["inventory"].default)
    world = faults.of(lambda: inventory.load(root / folder))
    told = wanted or readable(values)
    faults.found += [*_open(values, stack), *_missing(told, values, stack), *_unreadable(told, root, stack)]
    if wanted is None or world is None or faults.found:
        raise ConfigError(faults.found)
    found = plan(world, wanted, today, provisioned())
    _kept(found, wanted, today, stack)
    secrets = {name: pulumi.Output.secret(str(values[name])) for name in SECRETS if values.get(name)}
    return _target(found, wanted, world, root, secrets)


def _open(values: Mapping[str, object], stack: str) -> list[Fault]:
    """Name the secrets that stand open in the stack file."""
    hidden = {name.removeprefix(PROJECT) for name in json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")}
    remedy = "give it a new value with `pulumi config set --secret {}`; this one must count as known"
    return [
        Fault(stack, 0, PROJECT + name, "is a secret and stands open in the stack file", remedy.format(name))
        for name in SECRETS
        if name in values and name not in hidden
    ]


def _missing(wanted: Options, values: Mapping[str, object], stack: str) -> list[Fault]:
    """Name the secrets that will be needed and are not there."""
    needed = {
        "influxToken": wanted.target != "openstack",
        "influxPassword": wanted.target == "kubernetes",
        "nationalToken": wanted.national is not None and wanted.target != "openstack",
    }
    remedy = "set it with `pulumi config set --secret {}`"
    return [
        Fault(stack, 0, PROJECT + name, "is missing", remedy.format(name))
        for name, need in needed.items()
        if need and not values.get(name)
    ]


def _unreadable(wanted: Options, root: Path, stack: str) -> list[Fault]:
    """Name a root's certificate that is no file."""
    given = wanted.pki.root_certificate
    if not given or given.startswith("-----BEGIN") or (root / given).is_file():
        return []
    remedy = "name the certificate that `motcua ca root` wrote, from the project's root"
    return [Fault(stack, 0, PROJECT + "pki.rootCertificate", f"there is no file {given}", remedy)]


def _kept(found: Plan, wanted: Options, today: date, stack: str) -> None:
    """Refuse what breaks a rule that must be kept; say what breaks another. Raises ConfigError."""
    broken = findings(found, wanted, today)
    for one in broken:
        if one.severity != "mandatory":
            pulumi.warn(str(one))
    faults = [Fault(stack, 0, one.rule, one.problem, one.remedy) for one in broken if one.severity == "mandatory"]
    if faults:
        raise ConfigError(faults)


def _target(
    found: Plan, wanted: Options, world: Inventory, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> Mapping[str, pulumi.Input[object]]:
    """Import only the target that is asked for: the others' libraries are large."""
    if wanted.target == "local":
        from infra.targets.local.deploy import deploy as deploy_local  # noqa: PLC0415

        return deploy_local(found, wanted, root, secrets)
    if wanted.target == "kubernetes":
        from infra.targets.kubernetes.deploy import deploy as deploy_cluster  # noqa: PLC0415

        return deploy_cluster(found, wanted, root, secrets)
    from infra.targets.openstack.deploy import deploy as deploy_cloud  # noqa: PLC0415

    return deploy_cloud(found, wanted, world, root, secrets)
