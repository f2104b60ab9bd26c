"""The files of `motcua render` for the province's cloud: of one cloud, or of both with every rule run (target local).

It must not write them. A tree of target local is to be read and compared: it enforces nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from motcua.cli.rendered_files import RenderedFiles
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud import CloudPlan
    from infra.targets.local.cloud.folders import RenderedFolder
    from motcua.stacks import OpenedStack

SHIPPED_PARTS: Final[Mapping[tuple[str, str], str]] = {
    ("kubernetes", "ground"): "ground",
    ("kubernetes", "hosted"): "hosted",
    ("local", "ground"): "local-ground",
    ("local", "hosted"): "local-hosted",
}
"""The shipped stack of a target and a part of the province's cloud."""


def render_cloud(stack: OpenedStack, drill: str) -> RenderedFiles:
    """Return the ground's files, those of every hosted system apart from the others, or those of a system's drill.

    Raises ConfigError with what the cloud could not run; for target local with every fault that a rule finds, too.
    """
    from infra.host.inside_agents import agent_settings
    from infra.plan.cloud import build_cloud_plan
    from infra.plan.cloud.lock import entry_faults, needs_lock
    from infra.targets.kubernetes.cloud.files import DRILL_HEADER, HEADERS, drill_files
    from infra.targets.openstack.cloud.alert_files import alert_files
    from infra.targets.openstack.cloud.document import DOCUMENT_HEADERS, stack_documents

    options, inventory = stack.options, stack.inventory
    today = options.today or datetime.now(UTC).date()
    plan = build_cloud_plan(inventory.cloud, province=inventory.province, stage=options.stage, today=today)
    if needs_lock(options) and (faults := entry_faults(inventory.cloud)):
        raise ConfigError(faults)
    kubernetes, openstack = HEADERS[options.cloud.part].strip(), DOCUMENT_HEADERS[options.cloud.part]
    if options.target == "openstack":
        agents = agent_settings(inventory, plan, options)
        files = {**stack_documents(plan, options, agents), **alert_files(plan, options.cloud.part)}
        return RenderedFiles(files, (openstack,), stale=("*/*.yaml",))
    if options.target == "kubernetes":
        if drill:
            return RenderedFiles(drill_files(plan, options, drill), (DRILL_HEADER.strip(),), stale=("*/*.yaml",))
        return _kubernetes_files(plan, stack, kubernetes)
    return RenderedFiles(_checked_tree(plan, stack), (kubernetes, openstack), stale=("*/*/*.yaml",))


def _kubernetes_files(plan: CloudPlan, stack: OpenedStack, marker: str) -> RenderedFiles:
    """Return the files of a part for Kubernetes; where Motcua is one of the systems, its devices get theirs too."""
    from dashboards.files import provisioned_files
    from infra.host.bundle import device_files
    from infra.host.inside_agents import agent_settings
    from infra.plan.cloud.stack_parts import planned_part
    from infra.plan.own_system import with_inside_broker
    from infra.targets.kubernetes.cloud.files import cloud_files
    from infra.targets.kubernetes.cloud.own_system import plan_own_system
    from telemetry.inventory.files import bundle_files

    inventory, inside = stack.inventory, with_inside_broker(stack.options, plan)
    part = planned_part(plan, inside.cloud.systems)
    agents = agent_settings(inventory, plan, inside) if inside.cloud.part == "hosted" and part.inside_agents else {}
    if not inside.cloud.own_system:
        return RenderedFiles(cloud_files(plan, inside, agents), (marker,), stale=("*/*.yaml", "*/*.md"))
    own = plan_own_system(inventory, stack.options, plan, provisioned_files(inventory), bundle_files(stack.folder))
    mqtt = f"mqtts://{own.options.broker.host}:{own.options.broker.port}"
    files = device_files(inventory, marker, mqtt)
    # The agents inside have theirs among their objects.
    devices = {path: text for path, text in files.items() if PurePath(path).stem not in agents}
    files = cloud_files(plan, inside, agents, own) | devices
    return RenderedFiles(files, (marker,), stale=("*/*.yaml", "*/*.md", "devices/*.toml"))


def _checked_tree(plan: CloudPlan, stack: OpenedStack) -> dict[str, str]:
    """Return the tree of both clouds after every rule, and print what is to be known of it. Raises ConfigError."""
    from infra.policy.cloud.check import check_cloud_plan, finding_faults
    from infra.policy.cloud.manifests import known_exceptions
    from infra.targets.local.cloud.checks import check_folders
    from infra.targets.local.cloud.folders import missing_digests, missing_routes, render_folders

    folders = render_folders(plan, stack.options, stack.inventory)
    findings = [*check_cloud_plan(plan), *check_folders(folders, known_exceptions(plan))]
    if faults := finding_faults(findings, stack.name):
        raise ConfigError(faults)
    files = _texts_with_progress(folders)
    count = sum(len(folder.objects) + len(folder.resources) for folder in folders)
    print(f"every rule was run over the plan and {count} objects: 0 faults, {len(findings)} hints")
    print("this tree is to be read and compared: it enforces nothing")
    if stack.options.cloud.part == "hosted" and (images := missing_digests(plan, stack.options)):
        print(f"{len(images)} images have no digest in cloud.imageDigests: their files have placeholders")
    for text in missing_routes(folders, stack.options):
        print(f"hint: {text}")
    return files


def _texts_with_progress(folders: tuple[RenderedFolder, ...]) -> dict[str, str]:
    """Return {path: text} of all folders; a terminal shows how far it is."""
    columns = (TextColumn("rendering {task.description}"), BarColumn(), MofNCompleteColumn())
    files: dict[str, str] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(folders))
        for folder in folders:
            bar.update(task, description=folder.name)
            files |= {f"{folder.name}/{path}": text for path, text in folder.files().items()}
            bar.advance(task)
    return files
