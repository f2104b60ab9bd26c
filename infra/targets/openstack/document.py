"""Renders the machine's user data: what cloud-init writes and runs at its first boot. Pure; it contains no secret."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

from infra.host.bundle import CLOUD_INIT_FILE, COMMAND_PATHS, MachineSetup, render_bundle, render_user_data
from infra.host.systemd_units import ETC, HostLayout
from infra.plan.broker import worker_names
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory

HEADER_PREFIX = "# Written by `pulumi up` from inventory "
INVENTORY_FOLDER = f"{ETC}/inventory"
STORE_DEVICE = "/dev/vdb"
"""The device of the store's volume: the machine's second disk."""
LIMIT = 65_535
"""The most user data that Nova accepts, bytes in base64."""


def user_data(
    plan: StackPlan, options: StackOptions, inventory: Inventory, inventory_files: Mapping[str, str] | None = None
) -> str:
    """Return the machine's user data, with all of `inventory_files` when they fit packed, else with none of them.

    A part would be another version, which was not reviewed. Raises ConfigError when the rest alone does not fit.
    """
    layout = HostLayout(workers=worker_names(options.workers))
    machine = MachineSetup(options.openstack.package, STORE_DEVICE)
    bundle = render_bundle(inventory, layout, stack_plan=plan, machine=machine)
    server = {path.removeprefix("server/"): text for path, text in bundle.items() if path.startswith("server/")}
    extra = {f"{INVENTORY_FOLDER.lstrip('/')}/{name}": text for name, text in (inventory_files or {}).items()}
    for files in ({**server, **extra}, server):
        text = render_user_data(f"{HEADER_PREFIX}{plan.inventory_version}.", files, COMMAND_PATHS)
        size = 4 * -(-len(pack_user_data(text)) // 3)
        if size <= LIMIT:
            return text
    problem = f"is {size} bytes in base64, and Nova accepts {LIMIT}"
    raise ConfigError([Fault(CLOUD_INIT_FILE, 0, "user data", problem, "make the rules in it fewer or shorter")])


def inventory_warning(text: str, version: str) -> str:
    """Return the warning about user data without the inventory; empty when the inventory is in it."""
    if f"{INVENTORY_FOLDER}/" in text:
        return ""
    return (
        f"{CLOUD_INIT_FILE}: inventory {version} does not fit beside the rest into {LIMIT} bytes; after the first boot "
        f"bring the whole folder, with published/, to {INVENTORY_FOLDER} on the machine"
    )


def pack_user_data(text: str) -> str:
    """Return user data as a message of one compressed part, in ASCII, which cloud-init unpacks.

    Compressed as a whole they are smaller than with files that are compressed one by one; equal texts give equal ones.
    """
    packed = base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
    return f"MIME-Version: 1.0\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{packed}\n"
