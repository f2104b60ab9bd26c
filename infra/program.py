"""The Pulumi program: configuration → inventory → plan → policies → target → outputs. It decides nothing of these."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from dashboards.files import provisioned_files
from infra.config.hosted_stacks import HostedStack, read_hosted_stacks
from infra.config.stack_file import STACKS_FOLDER, EngineConfig, load_declarations, read_engine_config
from infra.host.inside_agents import agent_settings
from infra.input_check import find_input_faults
from infra.inventory_changes import change_outputs
from infra.plan import build_plan
from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.data_loss import RecordedPart, recorded_outputs
from infra.plan.cloud.lock import entry_faults, needs_lock
from infra.plan.cloud.part_moves import RunStack, check_moves, departed_ids, moved_record, part_moves, run_stack
from infra.plan.cloud.stack_parts import OPTION, STACK_FILE, divided_faults, planned_part, undeployed_names
from infra.plan.own_system import with_inside_broker
from infra.policy.cloud.check import check_cloud_plan, finding_faults
from infra.policy.rules import check_plan
from infra.stack_state import StateUnreadable, read_movable_names, read_stack_outputs
from infra.targets.kubernetes.cloud.own_system import plan_own_system
from infra.targets.kubernetes.manifests import find_option_faults
from infra.targets.shared import inventory_files, root_inputs
from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.plan.cloud import CloudPlan
    from infra.plan.cloud.stack_parts import StackPart
    from infra.targets.kubernetes.cloud.deploy import OwnInputs
    from telemetry.core.inventory import Inventory


EXIT_AFTER_MESSAGE = 32
"""Pulumi's exit code of a program that has printed what is wrong: the engine adds nothing."""


def deploy_stack() -> None:
    """Deploy the stack and export its outputs. Raises RunError with every fault of configuration and inventory."""
    root, today = Path(pulumi.get_root_directory()), datetime.now(UTC).date()
    config = read_engine_config(os.environ, pulumi.get_stack(), root)
    earlier = read_earlier_outputs()
    try:
        options, inventory = load_declarations(config, root)
        if options.cloud.part != "motcua":
            export_outputs(deploy_cloud_part(options, inventory, today, earlier, config, root))
            return
        plan = build_plan(inventory, options, today, provisioned_files(inventory))
        check_plan_and_inputs(plan, options, today, config, root)
        outputs = deploy_target(plan, options, inventory, root, secret_outputs(config))
    except (ConfigError, InventoryError) as error:
        raise pulumi.RunError("\n" + "\n".join(str(config.locate(fault)) for fault in error.faults)) from None
    export_outputs({**outputs, **change_outputs(inventory, earlier or {})})


def secret_outputs(config: EngineConfig) -> dict[str, pulumi.Output[str]]:
    """Return the stack's secrets, which the engine keeps encrypted."""
    return {name: pulumi.Output.secret(value) for name, value in config.secrets.items()}


def export_outputs(outputs: Mapping[str, pulumi.Input[object]]) -> None:
    """Export every output of the stack."""
    for name, value in outputs.items():
        pulumi.export(name, value)


def deploy_cloud_part(
    options: StackOptions,
    inventory: Inventory,
    today: date,
    earlier: Mapping[str, object] | None,
    config: EngineConfig,
    root: Path,
) -> Mapping[str, pulumi.Input[object]]:
    """Deploy the ground or the hosted systems; returns the outputs, `earlier` being those of the last run, if known.

    Raises ConfigError with every fault, and with every loss of data that nobody accepted.
    """
    day = options.today or today
    plan = build_cloud_plan(inventory.cloud, province=inventory.province, stage=options.stage, today=day)
    check_hosted_systems(plan, config.file)
    is_hosted = options.cloud.part == "hosted"
    if needs_lock(options) and (faults := entry_faults(inventory.cloud)):
        raise ConfigError(faults)
    part = planned_part(plan, options.cloud.systems)
    recorded = record_part(plan, options, part, earlier, root) if is_hosted else {}
    if options.target == "openstack":
        from infra.targets.openstack.cloud.deploy import deploy_part  # noqa: PLC0415

        agents = agent_settings(inventory, plan, options)
        return {**deploy_part(plan, options, agents), **recorded}
    if options.target == "local":
        from infra.targets.local.cloud.deploy import deploy_rendered  # noqa: PLC0415

        return {**deploy_rendered(plan, options, inventory, config.file), **recorded}
    from infra.targets.kubernetes.cloud.deploy import deploy_cloud  # noqa: PLC0415

    own = own_inputs(plan, options, inventory, today, config, root)
    options = with_inside_broker(options, plan)
    agents = agent_settings(inventory, plan, options) if is_hosted and part.inside_agents else {}
    changes = change_outputs(inventory, earlier or {}) if own else {}
    return {**deploy_cloud(plan, options, agents, own), **recorded, **changes}


def record_part(
    plan: CloudPlan, options: StackOptions, part: StackPart, earlier: Mapping[str, object] | None, root: Path
) -> dict[str, str | list[str]]:
    """Return the outputs by which the next run knows what this one deploys of the hosted systems.

    Raises ConfigError where two stacks would deploy a system, as `check_moves` and as `recorded_outputs`.
    """
    name, project = pulumi.get_stack(), pulumi.get_project()
    others = [_run_stack(stack.name) for stack in stacks_beside(plan, options, root)]
    moves = part_moves(plan, part, run_stack(name, earlier or {}), others)
    if not moves.is_empty:
        try:
            check_moves(plan, moves, name, project, read_movable_names(name))
        except StateUnreadable as error:
            remedy = "run again; systems go from one stack to another, and only the state says where each is"
            raise ConfigError(
                [Fault(STACK_FILE, 0, OPTION, f"the stack's state cannot be read: {error}", remedy)]
            ) from None
    recorded = RecordedPart(part.systems, departed_ids(plan, moves), moved_record(plan, moves, others))
    return recorded_outputs(plan, earlier, options.cloud.allow_data_loss, recorded)


def stacks_beside(plan: CloudPlan, options: StackOptions, root: Path) -> list[HostedStack]:
    """Return the other stacks of the same cloud where it is divided, and warn of systems that none of them deploys.

    Raises ConfigError where two of them deploy the same.
    """
    own = HostedStack(pulumi.get_stack(), f"{STACKS_FOLDER}/Pulumi.{pulumi.get_stack()}.yaml", options)
    files = read_hosted_stacks(root / STACKS_FOLDER)
    others = [stack for stack in files.stacks if stack.name != own.name and stack.is_beside(own)]
    if not any(stack.listed_systems for stack in (own, *others)):
        return []
    if faults := divided_faults([own, *others]):
        raise ConfigError(faults)
    for fault in files.faults:
        if not fault.file.endswith(own.file):
            pulumi.warn(f"not compared with this stack: {fault}")
    if missing := undeployed_names([own, *others], plan):
        pulumi.warn(f"no stack file deploys {', '.join(missing)}: list them in cloud.systems of one")
    return others


def _run_stack(name: str) -> RunStack:
    """Return another stack as its last run left it; one that was never made runs nothing."""
    try:
        return run_stack(name, read_stack_outputs(name))
    except StateUnreadable as error:
        if "unknown stack" not in str(error):
            pulumi.warn(f"the stack {name} cannot be read, so nothing is compared with it: {error}")
        return RunStack(name)


def own_inputs(
    cloud: CloudPlan, options: StackOptions, inventory: Inventory, today: date, config: EngineConfig, root: Path
) -> OwnInputs | None:
    """Return what deploys Motcua as one of the systems, None when it is none of them.

    Raises ConfigError as `plan_own_system` and `check_plan_and_inputs`.
    """
    if not options.cloud.own_system:
        return None
    from infra.targets.kubernetes.cloud.deploy import OwnInputs  # noqa: PLC0415

    files = provisioned_files(inventory)
    own = plan_own_system(inventory, options, cloud, files, inventory_files(root, options))
    check_plan_and_inputs(own.plan, own.options, today, config, root)
    system = replace(own, with_roles=options.kubernetes.influx_reachable)
    return OwnInputs(system, root, secret_outputs(config))


def check_hosted_systems(plan: CloudPlan, file: str) -> None:
    """Warn of hints on the hosted systems; raises ConfigError with every fault: nothing of them is deployed then."""
    findings = check_cloud_plan(plan)
    for finding in findings:
        if finding.severity == "advisory":
            pulumi.warn(str(finding))
    faults = finding_faults(findings, file)
    if faults:
        raise ConfigError(faults)


def end_quietly_on_interrupt() -> None:
    """Let this process end without a trace when the engine interrupts it, as it does when a resource fails.

    The trace of the interrupted program would bury the resource's message.
    """

    def end(*_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_AFTER_MESSAGE)

    signal.signal(signal.SIGINT, end)


def read_earlier_outputs() -> Mapping[str, object] | None:
    """Return this stack's outputs of the last run from its state, empty before the first one, None if unreadable."""
    try:
        return read_stack_outputs(pulumi.get_stack())
    except StateUnreadable as error:
        pulumi.warn(f"the earlier inventory cannot be read, so its changes are not listed: {error}")
        return None


def check_plan_and_inputs(
    plan: StackPlan, options: StackOptions, today: date, config: EngineConfig, root: Path
) -> None:
    """Warn of violated advisory rules.

    Raises ConfigError with every violated mandatory rule and every input that a resource would refuse.
    """
    violations = check_plan(plan, options, today)
    mandatory = [violation for violation in violations if violation.severity == "mandatory"]
    for violation in violations:
        if violation not in mandatory:
            pulumi.warn(str(violation))
    faults = [Fault(config.file, 0, rule.rule, rule.problem, rule.remedy) for rule in mandatory]
    faults += find_input_faults(plan, options, root_inputs(options, root, config.secrets), config.file)
    if options.target == "kubernetes":
        faults += find_option_faults(options)
    if faults:
        raise ConfigError(faults)


def deploy_target(
    plan: StackPlan,
    options: StackOptions,
    inventory: Inventory,
    root: Path,
    secrets: Mapping[str, pulumi.Output[str]],
) -> Mapping[str, pulumi.Input[object]]:
    """Deploy to the target of the options; only its modules are imported, because their libraries are large."""
    if options.target == "local":
        from infra.targets.local.deploy import deploy_machine  # noqa: PLC0415

        return deploy_machine(plan, options, root, secrets)
    if options.target == "kubernetes":
        from infra.targets.kubernetes.deploy import deploy_stack as deploy_to_kubernetes  # noqa: PLC0415

        return deploy_to_kubernetes(plan, options, root, secrets)
    from infra.targets.openstack.deploy import deploy_stack as deploy_to_openstack  # noqa: PLC0415

    return deploy_to_openstack(plan, options, inventory, root, secrets)
