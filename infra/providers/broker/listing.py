"""Reads what dynamic security holds, in few round trips; it must not change anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from infra.providers.broker.marks import Mark, mark_of
from infra.providers.kind import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.providers.broker.access import Acl
    from infra.providers.broker.dynsec import Answer, Command, Dynsec

PAGE = 1000


@dataclass(frozen=True, slots=True)
class ClientThere:
    """A client as it is at the broker."""

    username: str
    roles: tuple[str, ...] = ()
    disabled: bool = False
    name: str = ""
    mark: Mark = field(default_factory=Mark)


@dataclass(frozen=True, slots=True)
class RoleThere:
    """A role as it is at the broker."""

    name: str
    acls: tuple[Acl, ...] = ()
    mark: Mark = field(default_factory=Mark)


def ordered(acls: Iterable[Acl]) -> tuple[Acl, ...]:
    """Return an access list in an order of its own: the broker's depends on how it was written."""
    return tuple(sorted(acls, key=lambda acl: (acl["type"], -acl["priority"], acl["topic"], acl["allow"])))


def wire(acls: Iterable[Acl]) -> list[dict[str, object]]:
    """Return an access list as commands and the file spell it."""
    return [
        {"acltype": acl["type"], "topic": acl["topic"], "allow": acl["allow"], "priority": acl["priority"]}
        for acl in acls
    ]


def clients(dynsec: Dynsec) -> dict[str, ClientThere]:
    """Return all clients by name. Raises ProviderError."""
    return {one.username: one for one in map(_client, _pages(dynsec, "listClients", "clients"))}


def client(dynsec: Dynsec, username: str) -> ClientThere | None:
    """Return one client, None when there is none. Raises ProviderError."""
    answer = dynsec.run([{"command": "getClient", "username": username}])[0]
    found = _one(dynsec, answer, f"getClient {username}", "client")
    return None if found is None else _client(found)


def roles(dynsec: Dynsec, names: Iterable[str]) -> dict[str, RoleThere]:
    """Return those of the named roles that are there. Raises ProviderError."""
    wanted = sorted(set(names))
    commands: list[Command] = [{"command": "getRole", "rolename": name} for name in wanted]
    answers = zip(wanted, dynsec.run(commands), strict=True)
    found = {name: _one(dynsec, answer, f"getRole {name}", "role") for name, answer in answers}
    return {name: _role(one) for name, one in found.items() if one is not None}


def group_roles(dynsec: Dynsec) -> dict[str, tuple[str, ...]]:
    """Return the roles of every group. Raises ProviderError."""
    return {str(one["groupname"]): _names(one.get("roles")) for one in _pages(dynsec, "listGroups", "groups")}


def _pages(dynsec: Dynsec, command: str, field_name: str) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    while True:
        asked = {"command": command, "verbose": True, "count": PAGE, "offset": len(found)}
        answer = dynsec.run([asked])[0]
        page = answer.data.get(field_name)
        if answer.error or not isinstance(page, list):
            raise ProviderError(f"{dynsec} refused {command}: {answer.error or 'no list'}; look into its log")
        found += page
        if not page or len(found) >= cast("int", answer.data.get("totalCount", 0)):
            return found


def _one(dynsec: Dynsec, answer: Answer, asked: str, field_name: str) -> Mapping[str, object] | None:
    if answer.gone:
        return None
    found = answer.data.get(field_name)
    if answer.error or not isinstance(found, dict):
        raise ProviderError(f"{dynsec} refused {asked}: {answer.error or 'no answer'}; look into its log")
    return found


def _client(one: Mapping[str, object]) -> ClientThere:
    mark = mark_of(one.get("textdescription"))
    disabled, name = one.get("disabled") is True, str(one.get("textname") or "")
    return ClientThere(str(one["username"]), _names(one.get("roles")), disabled, name, mark)


def _role(one: Mapping[str, object]) -> RoleThere:
    acls = cast("list[Mapping[str, object]]", one.get("acls") or [])
    found: list[Acl] = [
        {
            "type": str(acl["acltype"]),
            "topic": str(acl["topic"]),
            "allow": acl.get("allow") is True,
            "priority": int(cast("int", acl.get("priority", 0))),
        }
        for acl in acls
    ]
    return RoleThere(str(one["rolename"]), ordered(found), mark_of(one.get("textdescription")))


def _names(value: object) -> tuple[str, ...]:
    return tuple(sorted(str(one["rolename"]) for one in cast("list[Mapping[str, object]]", value or [])))
