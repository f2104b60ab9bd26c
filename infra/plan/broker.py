"""Access rights at the broker: services by name, devices by their ids. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.values import BrokerListener, BrokerPlan, BrokerUser, DeviceAccess
from telemetry.core.protocol.topics import topic_filter
from telemetry.errors import Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.config.options import StackOptions
    from telemetry.core.inventory import Device, Inventory

INGEST_NAME_FORMAT = "motcua-ingest-{}"
ROLLUP_NAME = "motcua-rollup"
PROVISION_NAME = "motcua-provision"
MONITOR_NAME = "motcua-monitor"
"""Common names of the services' certificates. A device's is its id."""
DEVICE_WRITE_CHANNELS = ("up", "state")
DEVICE_READ_CHANNELS = ("receipt", "config", "command", "state")
MIN_CONNECTIONS = 1024


def worker_names(count: int) -> tuple[str, ...]:
    """Return the names of `count` ingest workers."""
    return tuple(str(number) for number in range(1, count + 1))


def service_users(names: Sequence[str]) -> tuple[BrokerUser, ...]:
    """Return the services' rights; `names` are those of the ingest workers."""
    return (
        *(
            BrokerUser(INGEST_NAME_FORMAT.format(name), (topic_filter("receipt"),), (topic_filter("up"),))
            for name in names
        ),
        BrokerUser(ROLLUP_NAME, (), (topic_filter("state"),)),
        BrokerUser(PROVISION_NAME, (topic_filter("config"), topic_filter("command")), ()),
        BrokerUser(MONITOR_NAME, (), ("$SYS/broker/#",)),
    )


def agent_devices(inventory: Inventory) -> list[Device]:
    """Return the devices that run an agent, in order of id; imported logs have none."""
    return [device for _, device in sorted(inventory.devices.items()) if device.kind != "replay"]


def connection_limit(inventory: Inventory) -> int:
    """Return the broker's connection limit: every device twice (an old one may still be open), and services."""
    return max(MIN_CONNECTIONS, 2 * len(agent_devices(inventory)) + 64)


def broker_plan(inventory: Inventory, options: StackOptions) -> BrokerPlan:
    """Return users, devices and the one listener, with certificates on both sides."""
    listener = BrokerListener(
        options.broker.port, options.broker.bind, tls=True, client_certificates=True, anonymous=False
    )
    # In a cluster all workers share one certificate; their names are those of their pods.
    users = service_users(worker_names(1 if options.target == "kubernetes" else options.workers))
    _refuse_service_ids(inventory, users)
    return BrokerPlan(
        users,
        tuple(DeviceAccess(one.id, one.centre) for one in agent_devices(inventory)),
        (listener,),
        connection_limit(inventory),
    )


def _refuse_service_ids(inventory: Inventory, users: Iterable[BrokerUser]) -> None:
    """Refuse a device with the name of a service or of a future worker: it would have the service's rights."""
    service_names, worker_prefix, remedy = (
        {user.name for user in users},
        INGEST_NAME_FORMAT.format(""),
        "give the device another id",
    )
    faults = [
        Fault("devices.csv", 0, "id", f"{name!r} is a service of the stack", remedy)
        for name in sorted(inventory.devices)
        if name in service_names or name.startswith(worker_prefix)
    ]
    if faults:
        raise InventoryError(faults)
