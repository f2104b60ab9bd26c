"""The kind `RegistryShard`: a share of the devices, each with its client and role; it must not touch other clients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from infra.providers.broker.listing import clients, group_roles, roles
from infra.providers.broker.marks import WAY_OUT
from infra.providers.broker.registry import ROLE, There, as_found, changes, devices_of, digest, foreign
from infra.providers.kind import Failure, Found, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.broker.dynsec import Dynsec
    from infra.providers.broker.marks import Mark
    from infra.providers.broker.registry import Device
    from infra.providers.kind import Props

ID = re.compile(r"[a-z0-9-]{1,63}")
SHOWN = 5
ROUNDS = 3
"""A batch that was sent twice, because its connection broke, may leave something for another look."""


class RegistryShard:
    """Devices of one shard. What differs is found at the broker, so every run also repairs what was changed by hand."""

    inputs: ClassVar[frozenset[str]] = frozenset({"name", "devices", "adopt"})
    fixed: ClassVar[frozenset[str]] = frozenset({"name"})
    secrets: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False

    def __init__(self, dynsec: Dynsec) -> None:
        self._dynsec = dynsec

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every fault."""
        del olds
        props: dict[str, object] = {"devices": {}, "adopt": False, **news}
        failures = list(_faults(props))
        if not failures:
            props["devices"] = {name: one.value() for name, one in sorted(devices_of(props["devices"]).items())}
        return props, failures

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same."""
        return name == "adopt" or old == new

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Register all devices; what a create that died has left is taken up, or removed if it is no longer wanted."""
        return str(inputs["name"]), self._settle(inputs, {})

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Change what differs."""
        del ident
        return self._settle(news, devices_of(olds.get("devices")))

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return the shard's devices as they are; a shard itself cannot be gone."""
        name = str(outputs.get("name", ident))
        with self._dynsec.alone():
            there = self._there(name, devices_of(outputs.get("devices")))
        devices = as_found(self._whole(name), there)
        now = {**outputs, "name": name, "devices": devices}
        inputs = {field: value for field, value in now.items() if field in self.inputs}
        return Found(ident, {**now, **_figures(devices_of(devices))}, inputs)

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove those of its devices that are still its own."""
        name = str(outputs.get("name", ident))
        self._rounds(name, {}, devices_of(outputs.get("devices")), adopt=True)

    def _settle(self, news: Props, olds: dict[str, Device]) -> Props:
        wanted = devices_of(news["devices"])
        self._rounds(str(news["name"]), wanted, olds, adopt=bool(news.get("adopt")))
        return {**news, **_figures(wanted)}

    def _rounds(self, name: str, wanted: dict[str, Device], olds: dict[str, Device], *, adopt: bool) -> None:
        with self._dynsec.alone():
            for _ in range(ROUNDS):
                there = self._there(name, {**olds, **wanted})
                if not adopt:
                    new = [one for one in wanted.values() if one.id not in olds]
                    self._refuse(foreign(new, there, self._dynsec.owner))
                if self._dynsec.do(changes(self._whole(name), wanted, there)):
                    return
        raise ProviderError(f"{self._dynsec}: shard {name} keeps changing under our hands; who else writes it?")

    def _whole(self, name: str) -> str:
        """Return the shard's name with the stack's before it."""
        return f"{self._dynsec.owner}/{name}" if self._dynsec.owner else name

    def _there(self, name: str, known: dict[str, Device]) -> There:
        found = clients(self._dynsec)
        ids = {*known, *There(found).of(self._whole(name))}
        return There(found, roles(self._dynsec, (ROLE + one for one in ids)), group_roles(self._dynsec))

    def _refuse(self, found: dict[str, Mark]) -> None:
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            shown, whose = ", ".join(list(found)[:SHOWN]) + more, next(iter(found.values())).told()
            raise ProviderError(f"{self._dynsec}: {shown}: there already, {whose}; {WAY_OUT}")


def _figures(devices: dict[str, Device]) -> dict[str, object]:
    enabled = sum(one.enabled for one in devices.values())
    return {"digest": digest(devices), "count": len(devices), "enabled_count": enabled}


def _faults(props: Props) -> Iterator[Failure]:
    if not ID.fullmatch(str(props.get("name", ""))):
        yield Failure("name", "use 1 to 63 of a-z, 0-9 and -")
    devices = props["devices"]
    if not isinstance(devices, dict):
        yield Failure("devices", "is no mapping of device id to centre, kind and enabled")
        return
    for name, one in devices.items():
        if fault := _fault(str(name), one):
            yield Failure("devices", f"{name!r} {fault}")


def _fault(name: str, one: object) -> str | None:
    if not ID.fullmatch(name):
        return "is no device id; use 1 to 63 of a-z, 0-9 and -"
    if not isinstance(one, dict) or one.keys() - {"centre", "kind", "enabled"}:
        return "takes centre, kind and enabled, nothing else"
    if one.get("centre") and not ID.fullmatch(str(one["centre"])):
        return f"has {one['centre']!r} for a centre; use 1 to 63 of a-z, 0-9 and -"
    return None if isinstance(one.get("enabled", True), bool) else "has an enabled that is neither true nor false"
