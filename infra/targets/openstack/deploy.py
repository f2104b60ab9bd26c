"""Joins the stage's authority and the cloud's objects to a stack. It must not decide what either holds.

Keys of servers and services are born on the machine, which asks for certificates; only the authority's is in the state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pulumi

from infra.components.certificates import Certificates
from infra.components.component import Province
from infra.targets.openstack.component import deploy_cloud
from infra.targets.shared import StackOutputs, common_outputs, inventory_files, root_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory


def deploy_stack(
    plan: StackPlan, options: StackOptions, inventory: Inventory, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> StackOutputs:
    """Make or change everything; returns the stack's outputs. Raises ConfigError before the first call."""
    files = inventory_files(root, options)
    province = Province(plan.province, plan.stage)
    parent_options = pulumi.ResourceOptions(parent=province)
    authority = replace(plan.pki, certificates=())
    pki = Certificates(authority, plan.stage, root_inputs(options, root, secrets), parent_options)
    cloud_outputs = deploy_cloud(plan, options, inventory, files, parent_options)
    return {**common_outputs(plan, options, pki), **cloud_outputs}
