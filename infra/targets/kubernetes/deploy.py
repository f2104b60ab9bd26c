"""Joins authorities, the cluster's objects and InfluxDB's tokens to a stack. It must not decide what any of them holds.

InfluxDB's tokens come from InfluxDB: the roles follow in the run that finds it reachable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components.certificates import Certificates
from infra.components.component import Province
from infra.components.database import Database
from infra.resource_specs import resource_specs
from infra.targets.kubernetes.checks import check_cluster_options
from infra.targets.kubernetes.component import deploy_cluster
from infra.targets.shared import StackOutputs, common_outputs, inventory_files, root_inputs, token_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config.options import StackOptions
    from infra.plan import StackPlan

ROLE_CERTIFICATES = {"broker": "broker", "ingest": "motcua-ingest-1", "rollup": "motcua-rollup"}


def deploy_stack(
    plan: StackPlan, options: StackOptions, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> StackOutputs:
    """Make or change everything; returns the outputs. Raises ConfigError naming every secret that is missing."""
    check_cluster_options(options)
    province = Province(plan.province, plan.stage)
    parent_options = pulumi.ResourceOptions(parent=province)
    pki = Certificates(plan.pki, plan.stage, root_inputs(options, root, secrets), parent_options)
    values: dict[str, pulumi.Input[str]] = {**secrets, "caBundle": pki.ca_bundle, "crl": pki.crl_bundle}
    for name, certificate in ROLE_CERTIFICATES.items():
        values[f"{name}Certificate"] = pki.certificates_by_name[certificate].output("certificate")
        values[f"{name}Key"] = pki.certificates_by_name[certificate].output("key")
    tokens: StackOutputs = {}
    if options.kubernetes.influx_reachable:
        tokens = token_outputs(plan, Database(resource_specs(plan, options), plan.stage, secrets, parent_options))
    values |= tokens  # type: ignore[arg-type]
    cluster_outputs = deploy_cluster(plan, options, values, inventory_files(root, options), parent_options)
    return {**common_outputs(plan, options, pki), **tokens, **cluster_outputs}
