"""The machine's user data: what cloud-init writes and runs at its first boot. Pure; it holds no secret."""

from __future__ import annotations

import base64
import gzip
from types import MappingProxyType
from typing import TYPE_CHECKING

from infra.host import cloud_init
from infra.host.bundle import CLOUD_INIT_FILE, COMMAND_PATHS, MachineSetup, render_bundle
from infra.host.units import ETC, HostLayout
from infra.targets.openstack.resources import STORE_DEVICE
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory

MARK = "# Written by `pulumi up` from inventory "
INVENTORY = f"{ETC}/inventory"
LIMIT = 65_535
"""Nova takes no more user data, bytes in base64."""
_NONE: Mapping[str, str] = MappingProxyType({})


def user_data(
    plan: StackPlan, options: StackOptions, world: Inventory, inventory_files: Mapping[str, str] = _NONE
) -> str:
    """Return the machine's user data, with the whole inventory when it fits, else with none of it.

    A part would be another version that nobody has reviewed. Raises ConfigError when it does not fit without either.
    """
    carried = {f"{INVENTORY.lstrip('/')}/{name}": text for name, text in inventory_files.items()}
    for extra in (carried, {}):
        text = _user_data(plan, options, world, extra)
        size = 4 * -(-len(text.encode()) // 3)
        if size <= LIMIT:
            return text
    problem = f"is {size} bytes in base64, and Nova takes {LIMIT}"
    raise ConfigError(
        [Fault(CLOUD_INIT_FILE, 0, "user data", problem, "make the rules that it carries fewer or shorter")]
    )


def left_out(text: str, version: str) -> str:
    """Return what is to be said of user data in which the inventory has no place; empty when it has."""
    if f"{INVENTORY}/" in text:
        return ""
    return (
        f"{CLOUD_INIT_FILE}: inventory {version} does not fit beside the rest into {LIMIT} bytes; after the first boot "
        f"bring the whole folder, with published/, to {INVENTORY} on the machine"
    )


def _user_data(plan: StackPlan, options: StackOptions, world: Inventory, extra: Mapping[str, str]) -> str:
    layout = HostLayout(workers=tuple(str(number) for number in range(1, options.workers + 1)))
    made = render_bundle(world, layout, stack_plan=plan, machine=MachineSetup(options.openstack.package, STORE_DEVICE))
    server = {path.removeprefix("server/"): text for path, text in made.items() if path.startswith("server/")}
    return cloud_init.render_user_data(f"{MARK}{plan.inventory_version}.", {**server, **extra}, COMMAND_PATHS, pack)


def pack(text: str) -> str:
    """Return a text as gzip in base64, the same on every day."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
