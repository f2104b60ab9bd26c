"""Inventory and stack options → the desired state, as frozen values. Pure: no clock, no files, no server, no Pulumi."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from infra.plan.broker import broker_plan
from infra.plan.influx import influx_plan
from infra.plan.pki import pki_plan
from infra.plan.values import StackPlan
from infra.plan.workloads import plan_flows, plan_scrape_jobs, plan_workloads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from infra.config.options import StackOptions
    from telemetry.core.inventory import Inventory

__all__ = ["StackPlan", "build_plan"]
_NO_FILES: Mapping[str, str] = MappingProxyType({})


def build_plan(
    inventory: Inventory, options: StackOptions, today: date, files: Mapping[str, str] = _NO_FILES
) -> StackPlan:
    """Return the desired state on a day; `files` are dashboards and rules, path → text."""
    broker = broker_plan(inventory, options)
    return StackPlan(
        inventory.province,
        options.stage,
        options.target,
        inventory.version,
        influx_plan(options, inventory.province),
        broker,
        pki_plan(options, broker, inventory.province, options.today or today),
        plan_workloads(inventory, options),
        plan_flows(options),
        plan_scrape_jobs(),
        stack_labels(inventory, options),
        dict(sorted(files.items())),
    )


def stack_labels(inventory: Inventory, options: StackOptions) -> Mapping[str, str]:
    """Return the labels of every resource."""
    return {
        "app.kubernetes.io/part-of": "motcua",
        "app.kubernetes.io/managed-by": "pulumi",
        "motcua.org/province": inventory.province,
        "motcua.org/stage": options.stage,
        "motcua.org/owner": options.owner,
        "motcua.org/data-class": "operational",
    }
