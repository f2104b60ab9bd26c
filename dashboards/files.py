"""Dashboards and rules of an inventory as files; it must not depend on where the package is installed.

The dashboards and the rules of objectives and targets are made from the inventory, so that what a stack deploys has its
own objectives and indicators. The rules on the stack itself are the same everywhere: `rules/motcua.yaml`.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import yaml

from dashboards.boards.broker import broker_board
from dashboards.boards.fleet import fleet_board
from dashboards.boards.hosted import hosted_board
from dashboards.boards.indicators import indicators_board
from dashboards.boards.influxdb import influxdb_board
from dashboards.boards.ingest import ingest_board
from dashboards.boards.objectives import objectives_board
from dashboards.boards.stored import stored_board
from dashboards.objective_rules import rule_document
from dashboards.panels import render_dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.panels import Dashboard
    from telemetry.core.inventory import Inventory

STACK_RULES, OBJECTIVE_RULES = "rules/motcua.yaml", "rules/objectives.yaml"
UID_PREFIX = "motcua-"


def provisioned_files(inventory: Inventory) -> Mapping[str, str]:
    """Return {path: text} of an inventory's dashboards (`grafana/NAME.json`) and rules (`rules/NAME.yaml`)."""
    stack_rules = resources.files("dashboards").joinpath(STACK_RULES).read_text(encoding="utf-8")
    return dict(sorted({**generated_files(inventory), STACK_RULES: stack_rules}.items()))


def generated_files(inventory: Inventory) -> dict[str, str]:
    """Return {path: text} of the files that are made from an inventory."""
    boards = {
        f"grafana/{board.uid.removeprefix(UID_PREFIX)}.json": render_dashboard(board)
        for board in all_dashboards(inventory)
    }
    rules = yaml.safe_dump(rule_document(inventory), sort_keys=False, allow_unicode=True, width=1_000)
    return {
        **boards,
        OBJECTIVE_RULES: f"# Made from the inventory's objectives and targets; see docs/how-to/watch.md.\n{rules}",
    }


def all_dashboards(inventory: Inventory) -> tuple[Dashboard, ...]:
    """Return every dashboard of an inventory."""
    zone = str(inventory.zone)
    return (
        fleet_board(zone),
        indicators_board(inventory),
        objectives_board(inventory.objectives, zone),
        ingest_board(zone),
        broker_board(zone),
        influxdb_board(zone),
        stored_board(zone),
        *((hosted_board(inventory),) if inventory.cloud.systems else ()),
    )
