"""The kind `Role`: a named access list of dynamic security; it must not touch a role that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.broker.access import TYPES
from infra.providers.broker.listing import clients, group_roles, ordered, roles, wire
from infra.providers.broker.marks import WAY_OUT, service
from infra.providers.broker.registry import There, without_role
from infra.providers.kind import Failure, Found, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.broker.access import Acl
    from infra.providers.broker.dynsec import Dynsec
    from infra.providers.broker.listing import RoleThere
    from infra.providers.kind import Props


class Role:
    """A role and its access list."""

    inputs: ClassVar[frozenset[str]] = frozenset({"name", "acls", "adopt"})
    fixed: ClassVar[frozenset[str]] = frozenset({"name"})
    secrets: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False

    def __init__(self, dynsec: Dynsec) -> None:
        self._dynsec = dynsec

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every fault; the broker itself would take a wrong list without a word."""
        del olds
        props: dict[str, object] = {"acls": [], "adopt": False, **news}
        failures = list(_faults(props))
        if not failures:
            props["acls"] = list(acls_of(props["acls"]))
        return props, failures

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same; the order of an access list does not matter, its priorities do."""
        return name == "adopt" or (name == "acls" and acls_of(old) == acls_of(new))

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take up what a create that died has left."""
        name = str(inputs["name"])
        with self._dynsec.alone():
            found = roles(self._dynsec, [name]).get(name)
            if found and not inputs.get("adopt") and (not found.mark.of(self._dynsec.owner) or found.mark.shard):
                raise ProviderError(f"{self._dynsec}: role {name}: there already, {found.mark.told()}; {WAY_OUT}")
            return name, self._written(inputs, found)

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Write the list."""
        del olds
        with self._dynsec.alone():
            return self._written(news, roles(self._dynsec, [ident]).get(ident))

    def _written(self, news: Props, found: RoleThere | None) -> Props:
        acls = acls_of(news["acls"])
        if found is None or found.acls != acls or found.mark != service(self._dynsec.owner):
            command = "createRole" if found is None else "modifyRole"
            told = {"rolename": news["name"], "textdescription": str(service(self._dynsec.owner)), "acls": wire(acls)}
            self._dynsec.do([{"command": command, **told}])
        return dict(news)

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return it as it is, None when the broker says that there is none."""
        found = roles(self._dynsec, [ident]).get(ident)
        if found is None:
            return None
        inputs = {"adopt": outputs.get("adopt", False), "name": ident, "acls": list(found.acls)}
        return Found(ident, {**outputs, **inputs}, inputs)

    def delete(self, ident: str, outputs: Props) -> None:
        """Take it from all who hold it and remove it, if it is still ours."""
        del outputs
        with self._dynsec.alone():
            found = roles(self._dynsec, [ident]).get(ident)
            if found is not None and found.mark.of(self._dynsec.owner) and not found.mark.shard:
                there = There(clients(self._dynsec), {}, group_roles(self._dynsec))
                self._dynsec.do(list(without_role(ident, there)))


def acls_of(value: object) -> tuple[Acl, ...]:
    """Return an access list with its defaults, in its own order."""
    given = cast("list[dict[str, object]]", value or [])
    return ordered(
        {
            "type": str(one["type"]),
            "topic": str(one["topic"]),
            "allow": bool(one.get("allow", True)),
            "priority": int(cast("int", one.get("priority", 0))),
        }
        for one in given
    )


def _faults(props: Props) -> Iterator[Failure]:
    if not props.get("name") or not isinstance(props["name"], str):
        yield Failure("name", "is missing")
    acls = props["acls"]
    if not isinstance(acls, list):
        yield Failure("acls", "is no list of type, topic, allow and priority")
        return
    seen = set()
    for number, one in enumerate(acls):
        fault = _acl_fault(one)
        if fault is None and (key := (one["type"], one["topic"])) in seen:
            fault = f"{key[0]} {key[1]} stands twice; the broker keeps one of them"
        elif fault is None:
            seen.add(key)
        if fault:
            yield Failure("acls", f"entry {number}: {fault}")


def _acl_fault(one: object) -> str | None:
    if not isinstance(one, dict) or one.keys() - {"type", "topic", "allow", "priority"}:
        return "takes type, topic, allow and priority, nothing else"
    if one.get("type") not in TYPES:
        return f"type must be one of {', '.join(TYPES)}"
    levels = str(one.get("topic", "")).split("/")
    if (
        levels == [""]
        or any("#" in level for level in levels[:-1])
        or any(sign in level and level != sign for level in levels for sign in "+#")
    ):
        return "has no valid topic filter; + stands for a whole level, # only at the end"
    if not isinstance(one.get("allow", True), bool) or not isinstance(one.get("priority", 0), int):
        return "allow is true or false, priority a whole number"
    return None
