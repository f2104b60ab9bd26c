"""Writes `dynamic-security.json` for a broker's first start; it must not read one or talk to a broker.

The form is mosquitto 2.0's, which 2.1 reads too. For many devices at once it takes the place of commands: 2.0 writes
its whole file after each of those. Later changes go by commands, for the broker owns the file from then on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.providers.broker.access import admin_rights
from infra.providers.broker.defaults import ACCESS, DEFAULTS
from infra.providers.broker.listing import wire
from infra.providers.broker.marks import Mark
from infra.providers.broker.passwords import ITERATIONS, encoded, hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.providers.broker.access import Acl
    from infra.providers.broker.registry import Device

ADMIN_ROLE = "motcua-dynsec-admin"
ADMIN_MARK = "made with the broker's first file"


@dataclass(frozen=True, slots=True)
class Admin:
    """Who administers dynamic security: by password, or without one by a certificate of that common name."""

    username: str
    password: str = field(default="", repr=False)
    salt: bytes = b""
    iterations: int = ITERATIONS

    def entry(self) -> dict[str, object]:
        """Return the client's entry."""
        one = _client(self.username, ADMIN_MARK, [ADMIN_ROLE])
        if not self.password:
            return one
        kept = {"password": hashed(self.password, self.salt, self.iterations), "salt": encoded(self.salt)}
        return {**one, **kept, "iterations": self.iterations}


@dataclass(frozen=True, slots=True)
class Service:
    """A service by its certificate's common name, with a role of the same name."""

    name: str
    acls: tuple[Acl, ...]


def document(
    admin: Admin, services: Sequence[Service] = (), shards: Mapping[str, Iterable[Device]] | None = None,
    access: Mapping[str, object] = DEFAULTS, stack: str = "",
) -> str:  # fmt: skip
    """Return the file: the administrator, services, and devices by shard, marked so that the kinds know their own."""
    mark, before = str(Mark(ours=True, stack=stack)), f"{stack}/" if stack else ""
    devices = [(before + shard, device) for shard, members in sorted((shards or {}).items()) for device in members]
    clients = [
        admin.entry(),
        *(_client(one.name, mark, [one.name]) for one in services),
        *(_device(shard, device) for shard, device in devices),
    ]
    roles = [
        _role(ADMIN_ROLE, ADMIN_MARK, admin_rights()),
        *(_role(one.name, mark, one.acls) for one in services),
        *(_role(one.role, str(one.mark(shard)), one.acls) for shard, one in devices if one.enabled),
    ]
    defaults = {spelt: access[name] for name, spelt in ACCESS.items()}
    found = {"defaultACLAccess": defaults, "clients": clients, "groups": [], "roles": roles}
    return json.dumps(found, indent=1) + "\n"


def _client(username: str, description: str, roles: Sequence[str]) -> dict[str, object]:
    held = [{"rolename": role} for role in roles]
    return {"username": username, "textDescription": description, "roles": held}


def _device(shard: str, device: Device) -> dict[str, object]:
    one = _client(device.id, str(device.mark(shard)), [device.role] if device.enabled else [])
    named = {**one, "textName": device.kind} if device.kind else one
    return named if device.enabled else {**named, "disabled": True}


def _role(name: str, description: str, acls: Iterable[Acl]) -> dict[str, object]:
    return {"rolename": name, "textDescription": description, "acls": wire(acls)}
