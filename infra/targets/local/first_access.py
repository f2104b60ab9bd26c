"""What dynamic security is to hold from its first start on, so that `up` finds everything done. Pure.

By commands mosquitto 2.0 writes its whole file after each; a file made beforehand takes a second for 10,000 devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers.broker.access import rights
from infra.providers.broker.document import ADMIN_MARK as MARK, Admin, Service, document
from infra.providers.broker.registry import Device

if TYPE_CHECKING:
    from infra.plan import Plan

__all__ = ["FILE", "MARK", "dynamic_security"]
FILE = "dynamic-security.json"


def dynamic_security(plan: Plan, admin: Admin, stack: str = "local") -> str:
    """Return the file's text: the administrator, the services, and every device in its shard, marked as `stack`'s."""
    services = [Service(one.name, tuple(rights(one.publish, one.subscribe))) for one in plan.broker.users]
    shards = {
        one.name: [Device(device.id, device.centre, device.kind) for device in one.devices]
        for one in plan.broker.shards
    }
    return document(admin, services, shards, stack=stack)
