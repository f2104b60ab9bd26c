"""Writes the tree of the ground or of the hosted systems by Pulumi: a resource for each folder. It decides no text.

A system's files are written together, and removed with the system; nothing is contacted, and nothing is enforced.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pulumi

from infra.components.component import MotcuaComponent, Province
from infra.policy.cloud.check import finding_faults
from infra.policy.cloud.manifests import known_exceptions
from infra.providers.resources import MotcuaResource
from infra.targets.local.cloud.checks import check_folders
from infra.targets.local.cloud.folders import missing_digests, missing_routes, render_folders
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from telemetry.core.inventory import Inventory

ENFORCES: Final = "nothing: these files are to be read and compared; no cloud has them"


class RenderedSystem(MotcuaComponent):
    """One hosted system, by its id; its files have names that no rename changes."""

    type_key = "cloud-system"


def deploy_rendered(
    plan: CloudPlan, options: StackOptions, inventory: Inventory, file: str
) -> Mapping[str, pulumi.Input[object]]:
    """Write the part that the options choose; returns the outputs. `file` is where findings without a place are.

    Raises ConfigError, before the first resource, with what no cloud could run and every object that breaks a rule.
    """
    folders = render_folders(plan, options, inventory)
    findings = check_folders(folders, known_exceptions(plan))
    for finding in findings:
        if finding.severity == "advisory":
            pulumi.warn(str(finding))
    if faults := finding_faults(findings, file):
        raise ConfigError(faults)
    if options.cloud.part == "hosted" and (images := missing_digests(plan, options)):
        pulumi.log.info(
            f"{len(images)} images have no digest in motcua:cloud.imageDigests: the files have placeholders"
        )
    for text in missing_routes(folders, options):
        pulumi.warn(text)
    root = (Path(pulumi.get_root_directory()) / options.local.cloud_folder).resolve()
    province = Province(plan.province, plan.stage)
    after: list[pulumi.Resource] = []
    for number, folder in enumerate(folders, 1):
        pulumi.log.info(f"renders {folder.name}, {number} of {len(folders)}", ephemeral=True)
        parent: MotcuaComponent = province
        if folder.system:
            aliases = [pulumi.Alias(name=earlier) for earlier in folder.was]
            parent = RenderedSystem(folder.system, plan.stage, pulumi.ResourceOptions(parent=province, aliases=aliases))
        inputs = {"folder": str(root / folder.name), "files": folder.files()}
        resource = MotcuaResource("host.files", f"files-{folder.name}", inputs, parent.child_options(after=after))
        # The first one makes the folders around all, and is therefore removed last.
        after = after or [resource]
    return {"part": options.cloud.part, "folder": str(root), "enforces": ENFORCES,
            "systems": [system.id for system in plan.systems]}  # fmt: skip
