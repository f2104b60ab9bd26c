"""Joins authorities, the cluster's objects and InfluxDB's tokens to a stack. It must not decide what any of them holds.

InfluxDB's tokens come from InfluxDB: the roles follow in the run that finds it reachable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components.certificates import Certificates
from infra.components.database import Database
from infra.components.part import Province
from infra.resource_specs import declared
from infra.targets.kubernetes.checks import check
from infra.targets.kubernetes.component import deploy as deploy_cluster
from infra.targets.shared import Outputs, common_outputs, inventory_files, root_inputs, token_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config.options import Options
    from infra.plan import Plan

CERTIFICATES = {"broker": "broker", "ingest": "motcua-ingest-1", "rollup": "motcua-rollup"}


def deploy(plan: Plan, options: Options, root: Path, secrets: Mapping[str, pulumi.Output[str]]) -> Outputs:
    """Make or change everything; returns the outputs. Raises ConfigError naming every secret that is missing."""
    check(options)
    province = Province(plan.province, plan.stage)
    under = pulumi.ResourceOptions(parent=province)
    pki = Certificates(plan.pki, plan.stage, root_inputs(options, root, secrets), under)
    values: dict[str, pulumi.Input[str]] = {**secrets, "caBundle": pki.trust, "crl": pki.crl}
    for name, certificate in CERTIFICATES.items():
        values[f"{name}Certificate"] = pki.issued[certificate].output("certificate")
        values[f"{name}Key"] = pki.issued[certificate].output("key")
    tokens: Outputs = {}
    if options.kubernetes.influx_reachable:
        tokens = token_outputs(plan, Database(declared(plan, options), plan.stage, secrets, under))
    made = deploy_cluster(plan, options, {**values, **tokens}, inventory_files(root, options), under)  # type: ignore[dict-item]
    return {**common_outputs(plan, options, pki), **tokens, **made}
