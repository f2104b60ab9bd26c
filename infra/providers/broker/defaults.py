"""The kind `DefaultAccess`: what clients may do that no role speaks of; it must not make or delete clients.

There is one per broker. mosquitto 2.0 cannot take an anonymous group back, and crashes when that group is deleted, so
a group without any role takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.broker.listing import clients
from infra.providers.kind import Failure, Found, ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.broker.dynsec import Command, Dynsec
    from infra.providers.kind import Props

IDENT = "default-access"
NOBODY = "motcua-nobody"
ACCESS = {
    "publish_client_send": "publishClientSend",
    "publish_client_receive": "publishClientReceive",
    "subscribe": "subscribe",
    "unsubscribe": "unsubscribe",
}
DEFAULTS: dict[str, object] = {
    "publish_client_send": False, "publish_client_receive": False, "subscribe": False, "unsubscribe": True,
}  # fmt: skip
"""Our roles say what may be received; so a right that is taken away ends a subscription made with it."""
FACTORY = {**DEFAULTS, "publish_client_receive": True}
"""What a broker has that nobody configured."""


class DefaultAccess:
    """The four defaults; nobody is let in without a name."""

    inputs: ClassVar[frozenset[str]] = frozenset({*ACCESS, "anonymous_group"})
    fixed: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False

    def __init__(self, dynsec: Dynsec) -> None:
        self._dynsec = dynsec

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every fault."""
        del olds
        props = {**DEFAULTS, "anonymous_group": "", **news}
        wrong = [name for name in ACCESS if not isinstance(props[name], bool)]
        failures = [Failure(name, "is neither true nor false") for name in wrong]
        if props["anonymous_group"]:
            failures.append(Failure("anonymous_group", "must be empty: nobody is let in without a name"))
        return props, failures

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same."""
        del name
        return old == new

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Set the defaults, and that the anonymous group has no right."""
        return IDENT, self._set(inputs)

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Set the defaults."""
        del ident, olds
        return self._set(news)

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return the defaults as they are."""
        acls, group = self._now()
        inputs: dict[str, object] = {name: acls.get(spelt, False) for name, spelt in ACCESS.items()}
        inputs["anonymous_group"] = group
        return Found(ident, {**outputs, **inputs}, inputs)

    def delete(self, ident: str, outputs: Props) -> None:
        """Set what a fresh broker has, unless another stack is there; the defaults themselves cannot be removed."""
        del ident, outputs
        with self._dynsec.alone():
            if not any(one.mark.ours and not one.mark.of(self._dynsec.owner) for one in clients(self._dynsec).values()):
                self._dynsec.do([_command(FACTORY)])

    def _set(self, news: Props) -> Props:
        with self._dynsec.alone():
            group = self._now()[1]
            if group:
                self._dynsec.do([{"command": "createGroup", "groupname": NOBODY}])
                self._dynsec.do([{"command": "setAnonymousGroup", "groupname": NOBODY}])
            self._dynsec.do([_command(news)])
        return dict(news)

    def _now(self) -> tuple[Mapping[str, bool], str]:
        """Return the defaults and the anonymous group, empty when it has no rights. Raises ProviderError."""
        access, group = self._dynsec.run([{"command": "getDefaultACLAccess"}, {"command": "getAnonymousGroup"}])
        if access.error or group.error:
            raise ProviderError(
                f"{self._dynsec} refused its defaults: {access.error or group.error}; look into its log"
            )
        acls = cast("list[Mapping[str, object]]", access.data["acls"])
        name = str(cast("Mapping[str, object]", group.data.get("group") or {}).get("groupname", ""))
        return {str(one["acltype"]): bool(one["allow"]) for one in acls}, "" if name == NOBODY else name


def _command(props: Props) -> Command:
    acls = [{"acltype": spelt, "allow": props[name]} for name, spelt in ACCESS.items()]
    return {"command": "setDefaultACLAccess", "acls": acls}
