"""Inventory and stack options → the desired state, as frozen values. Pure: no clock, no files, no server, no Pulumi."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from infra.plan.broker import broker_plan
from infra.plan.influx import influx_plan
from infra.plan.pki import pki_plan
from infra.plan.values import Plan
from infra.plan.workloads import flows, scrapes, workloads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from infra.config.options import Options
    from telemetry.core.inventory import Inventory

__all__ = ["Plan", "plan"]
_NONE: Mapping[str, str] = MappingProxyType({})


def plan(inventory: Inventory, options: Options, today: date, files: Mapping[str, str] = _NONE) -> Plan:
    """Return what is to be there on a day; `files` are dashboards and rules, path → text."""
    broker = broker_plan(inventory, options)
    return Plan(
        inventory.province,
        options.stage,
        options.target,
        inventory.version,
        influx_plan(options, inventory.province),
        broker,
        pki_plan(options, broker, inventory.province, options.today or today),
        workloads(inventory, options),
        flows(options),
        scrapes(),
        labels(inventory, options),
        dict(sorted(files.items())),
    )


def labels(inventory: Inventory, options: Options) -> Mapping[str, str]:
    """Return the labels that everything carries."""
    return {
        "app.kubernetes.io/part-of": "motcua",
        "app.kubernetes.io/managed-by": "pulumi",
        "motcua.org/province": inventory.province,
        "motcua.org/stage": options.stage,
        "motcua.org/owner": options.owner,
        "motcua.org/data-class": "operational",
    }
