"""Who may do what at the broker: services by name, devices by their ids. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.values import BrokerPlan, BrokerUser, DeviceAccess, Listener
from telemetry.core.protocol.topics import every
from telemetry.errors import Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.config.options import Options
    from telemetry.core.inventory import Device, Inventory

INGEST = "motcua-ingest-{}"
ROLLUP = "motcua-rollup"
PROVISION = "motcua-provision"
MONITOR = "motcua-monitor"
"""Common names of the services' certificates. A device's is its id."""
DEVICE_WRITES = ("up", "state")
DEVICE_READS = ("receipt", "config", "command", "state")
LEAST_CONNECTIONS = 1024


def workers(count: int) -> tuple[str, ...]:
    """Return the names of `count` ingest workers."""
    return tuple(str(number) for number in range(1, count + 1))


def services(names: Sequence[str]) -> tuple[BrokerUser, ...]:
    """Return the services' rights; `names` are those of the ingest workers."""
    return (
        *(BrokerUser(INGEST.format(name), (every("receipt"),), (every("up"),)) for name in names),
        BrokerUser(ROLLUP, (), (every("state"),)),
        BrokerUser(PROVISION, (every("config"), every("command")), ()),
        BrokerUser(MONITOR, (), ("$SYS/broker/#",)),
    )


def agents(inventory: Inventory) -> list[Device]:
    """Return the devices that run an agent, in order of id; imported logs have none."""
    return [device for _, device in sorted(inventory.devices.items()) if device.kind != "replay"]


def connections(inventory: Inventory) -> int:
    """Return how many connections the broker must bear: every device twice (an old one may linger), and services."""
    return max(LEAST_CONNECTIONS, 2 * len(agents(inventory)) + 64)


def broker_plan(inventory: Inventory, options: Options) -> BrokerPlan:
    """Return users, devices and the one listener, with certificates on both sides."""
    listener = Listener(options.broker.port, options.broker.bind, tls=True, client_certificates=True, anonymous=False)
    # In a cluster all workers have one certificate and a name of their pod's.
    users = services(workers(1 if options.target == "kubernetes" else options.workers))
    _apart(inventory, users)
    return BrokerPlan(
        users,
        tuple(DeviceAccess(one.id, one.centre) for one in agents(inventory)),
        (listener,),
        connections(inventory),
    )


def _apart(inventory: Inventory, users: Iterable[BrokerUser]) -> None:
    """Refuse a device under the name of a service or of a worker to come: it would carry the service's rights."""
    services, worker, remedy = {user.name for user in users}, INGEST.format(""), "give the device another id"
    faults = [
        Fault("devices.csv", 0, "id", f"{name!r} is a service of the stack", remedy)
        for name in sorted(inventory.devices)
        if name in services or name.startswith(worker)
    ]
    if faults:
        raise InventoryError(faults)
