"""Decides which commands bring a shard of the device registry to what is wanted; it must not send them.

A device is one client (its certificate's common name, no password) and one role. mosquitto 2.0 lets a disabled client
in when a certificate and not a password names it, so a disabled device is also without its role. A role is deleted
only when nobody holds it any more: 2.0.11 would go on using the memory that it had.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.providers.broker.access import device_rights
from infra.providers.broker.listing import ClientThere, RoleThere, ordered, wire
from infra.providers.broker.marks import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.providers.broker.access import Acl
    from infra.providers.broker.dynsec import Command

ROLE = "device:"


@dataclass(frozen=True, slots=True)
class Device:
    """A device as declared; one that is not enabled can neither publish nor subscribe."""

    id: str
    centre: str = ""
    kind: str = ""
    enabled: bool = True

    @property
    def role(self) -> str:
        """Return the name of its role."""
        return ROLE + self.id

    @property
    def acls(self) -> tuple[Acl, ...]:
        """Return its rights."""
        return ordered(device_rights(self.id, self.centre))

    def mark(self, shard: str) -> Mark:
        """Return what says whose it is."""
        return Mark(ours=True, shard=shard, centre=self.centre)

    def value(self) -> dict[str, object]:
        """Return it as an input's value."""
        return {"centre": self.centre, "kind": self.kind, "enabled": self.enabled}


def devices_of(value: object) -> dict[str, Device]:
    """Return the devices of an input's value, which was checked before."""
    found = value if isinstance(value, dict) else {}
    return {
        str(name): Device(
            str(name), str(one.get("centre", "")), str(one.get("kind", "")), bool(one.get("enabled", True))
        )
        for name, one in found.items()
    }


def digest(devices: Mapping[str, Device]) -> str:
    """Return SHA-256 over all devices, in hex, whatever their order."""
    values = {name: device.value() for name, device in devices.items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class There:
    """What is at the broker: all clients, the roles that concern the shard, the groups that hold roles."""

    clients: Mapping[str, ClientThere] = field(default_factory=dict)
    roles: Mapping[str, RoleThere] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, shard: str) -> set[str]:
        """Return the ids of a shard: its clients, and roles whose clients are gone."""
        roles = {one.name.removeprefix(ROLE) for one in self.roles.values() if one.mark.lies_in(shard)}
        return roles | {one.username for one in self.clients.values() if one.mark.lies_in(shard)}


def foreign(wanted: Iterable[Device], there: There, owner: str = "") -> dict[str, Mark]:
    """Return the marks of those wanted devices whose client or role somebody else made, or another stack."""
    found = {
        device.id: one.mark
        for device in wanted
        for one in (there.clients.get(device.id), there.roles.get(device.role))
        if one is not None and not (one.mark.shard and one.mark.of(owner))
    }
    return dict(sorted(found.items()))


def changes(shard: str, wanted: Mapping[str, Device], there: There) -> list[Command]:
    """Return the commands for all that differs, and nothing for what does not.

    Only what bears the shard's own mark is removed: a device that another shard took over stays.
    """
    commands: list[Command] = []
    for name in sorted(there.of(shard) - wanted.keys()):
        commands += _removed(shard, Device(name), there)
    for _, device in sorted(wanted.items()):
        commands += _settled(shard, device, there)
    return commands


def _removed(shard: str, device: Device, there: There) -> Iterator[Command]:
    client = there.clients.get(device.id)
    if client is not None and client.mark.lies_in(shard):
        yield {"command": "deleteClient", "username": device.id}
        there = There({**there.clients, device.id: ClientThere(device.id)}, there.roles, there.groups)
    role = there.roles.get(device.role)
    if role is not None and role.mark.lies_in(shard):
        yield from without_role(device.role, there)


def without_role(role: str, there: There) -> Iterator[Command]:
    """Take a role from all who hold it, then delete it."""
    for client in there.clients.values():
        if role in client.roles:
            yield {"command": "removeClientRole", "username": client.username, "rolename": role}
    for group, held in there.groups.items():
        if role in held:
            yield {"command": "removeGroupRole", "groupname": group, "rolename": role}
    yield {"command": "deleteRole", "rolename": role}


def _settled(shard: str, device: Device, there: There) -> Iterator[Command]:
    mark = device.mark(shard)
    role = there.roles.get(device.role)
    if device.enabled and (role is None or role.acls != device.acls or not _alike(role.mark, mark)):
        command = "createRole" if role is None else "modifyRole"
        yield {"command": command, "rolename": device.role, "textdescription": str(mark), "acls": wire(device.acls)}
    client = there.clients.get(device.id)
    if client is None or not _alike(client.mark, mark) or client.name != device.kind:
        command = "createClient" if client is None else "modifyClient"
        yield {"command": command, "username": device.id, "textname": device.kind, "textdescription": str(mark)}
    client = client or ClientThere(device.id)
    wanted = {device.role} if device.enabled else set()
    yield from role_changes(device.id, wanted, client.roles)
    if client.disabled == device.enabled:
        yield {"command": "enableClient" if device.enabled else "disableClient", "username": device.id}
    if not device.enabled and role is not None:
        held = {**there.clients, device.id: ClientThere(device.id)}
        yield from without_role(device.role, There(held, there.roles, there.groups))


def _alike(found: Mark, wanted: Mark) -> bool:
    return found.ours and found.lies_in(wanted.shard) and found.centre == wanted.centre


def role_changes(username: str, wanted: Iterable[str], held: Iterable[str]) -> Iterator[Command]:
    """Give and take roles one by one: with modifyClient, 2.0.11 keeps books on one side only."""
    for role in sorted(set(held) - set(wanted)):
        yield {"command": "removeClientRole", "username": username, "rolename": role}
    for role in sorted(set(wanted) - set(held)):
        yield {"command": "addClientRole", "username": username, "rolename": role}


def as_found(shard: str, there: There) -> dict[str, dict[str, object]]:
    """Return a shard's devices as they are; what is not as declared bears an extra `drift`."""
    found = {}
    for name in sorted(there.of(shard)):
        client = there.clients.get(name)
        if client is not None and client.mark.lies_in(shard):
            found[name] = _value(shard, client, there)
    return found


def _value(shard: str, client: ClientThere, there: There) -> dict[str, object]:
    device = Device(client.username, client.mark.centre, client.name, not client.disabled)
    value = device.value()
    if list(_settled(shard, device, there)):
        value["drift"] = "its role or roles were changed by hand"
    return value
