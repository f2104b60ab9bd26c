"""The settings of the agents inside the province's cloud, as every device has them. Pure; it must not place them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.systemd_units import STATE_FOLDER
from infra.plan.cloud.vantage_points import planned_vantage_points
from telemetry.inventory.agent_config import render_agent_settings

if TYPE_CHECKING:
    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan
    from telemetry.core.inventory import Inventory


def agent_settings(inventory: Inventory, plan: CloudPlan, options: StackOptions) -> dict[str, str]:
    """Return the settings of each agent inside the cloud, device → agent.toml, without the inventory's version."""
    mqtt, outbox = f"mqtts://{options.broker.host}:{options.broker.port}", f"{STATE_FOLDER}/outbox.db"
    return {
        point.namespace: render_agent_settings(inventory, point.namespace, mqtt=mqtt, outbox=outbox)
        for point in planned_vantage_points(plan)
    }
