"""Reads which exceptions of hosted systems the inventory of a stack declares, for the policy pack. It judges nothing.

The engine gives a pack the stack's configuration in its environment.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

from infra.config.options import StackOptions
from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.manifests import KnownExceptions, known_exceptions
from telemetry import inventory
from telemetry.errors import InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIGURATION = "PULUMI_CONFIG"
_STAGE, _INVENTORY, _TODAY = "motcua:stage", "motcua:inventory", "motcua:today"


def exceptions_of_stack(environment: Mapping[str, str], root: Path, today: date) -> KnownExceptions:
    """Return the day and the declared exceptions of a stack; without its configuration the day alone.

    An inventory with faults declares none that is known here: the program names the faults and deploys nothing.
    """
    values = json.loads(environment.get(CONFIGURATION) or "{}")
    if _STAGE not in values:
        return KnownExceptions(today)
    day = date.fromisoformat(values[_TODAY]) if _TODAY in values else today
    folder = str(values.get(_INVENTORY) or StackOptions.model_fields["inventory"].default)
    try:
        loaded = inventory.load(root / folder)
    except InventoryError:
        return KnownExceptions(day)
    return known_exceptions(build_cloud_plan(loaded.cloud, province=loaded.province, stage=values[_STAGE], today=day))
