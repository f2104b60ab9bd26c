"""The kind `Client`: a user of the broker with its roles; it must not touch a client that is not ours.

A client without a password is named by its certificate. Its password is never read back, and outputs hold a digest of
it only. mosquitto 2.0 lets a disabled client in when a certificate names it, so a disabled one is without its roles.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar

from infra.providers.broker.listing import client
from infra.providers.broker.marks import WAY_OUT, service
from infra.providers.broker.registry import role_changes
from infra.providers.kind import Failure, Found, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.broker.dynsec import Command, Dynsec
    from infra.providers.broker.listing import ClientThere
    from infra.providers.broker.marks import Mark
    from infra.providers.kind import Props

DIGEST = "pbkdf2-sha256:"
ROUNDS = 100_000
ATTEMPTS = 3


class Client:
    """A client, its roles, whether it is disabled, and perhaps a password."""

    inputs: ClassVar[frozenset[str]] = frozenset({"username", "roles", "password", "disabled", "adopt"})
    fixed: ClassVar[frozenset[str]] = frozenset({"username"})
    secrets: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False

    def __init__(self, dynsec: Dynsec) -> None:
        self._dynsec = dynsec

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every fault."""
        del olds
        props: dict[str, object] = {"roles": [], "disabled": False, "adopt": False, **news}
        return props, list(_faults(props))

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same: roles in any order, a password by its digest."""
        if name == "roles":
            return _roles({"roles": old}) == _roles({"roles": new})
        return name == "adopt" or (name == "password" and digest(str(old)) == digest(str(new)))

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take up what a create that died has left; its password is set again then."""
        name = str(inputs["username"])
        if name == self._dynsec.username:
            raise ProviderError(f"{self._dynsec}: client {name} is the administrator that we are; leave it undeclared")
        with self._dynsec.alone():
            found = client(self._dynsec, name)
            if found and not inputs.get("adopt") and (not found.mark.of(self._dynsec.owner) or found.mark.shard):
                raise ProviderError(f"{self._dynsec}: client {name}: there already, {found.mark.told()}; {WAY_OUT}")
            self._settle(inputs, found, fresh=True)
        return name, _outputs(inputs)

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Change what differs. A password that is no longer wanted can only go with its client, which is made anew."""
        old, new = olds.get("password"), news.get("password")
        with self._dynsec.alone():
            if old and not new:
                self._dynsec.do([{"command": "deleteClient", "username": ident}])
            fresh = bool(new) and (not old or digest(str(old)) != digest(str(new)))
            self._settle(news, client(self._dynsec, ident), fresh=fresh)
        return _outputs(news)

    def _settle(self, news: Props, found: ClientThere | None, *, fresh: bool) -> None:
        for _ in range(ATTEMPTS):
            if self._dynsec.do(_changes(news, found, service(self._dynsec.owner), fresh=fresh)):
                return
            found = client(self._dynsec, str(news["username"]))
        missing = ", ".join(sorted(_wanted(news) - set(found.roles if found else ())))
        told = f"no such role: {missing}; declare it first" if missing else "keeps changing; who else writes it?"
        raise ProviderError(f"{self._dynsec}: client {news['username']}: {told}")

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return it as it is, None when the broker says that there is none."""
        found = client(self._dynsec, ident)
        if found is None:
            return None
        bare = found.disabled and not found.roles
        roles = sorted(_roles(outputs)) if bare else list(found.roles)
        now = {**outputs, "username": ident, "roles": roles, "disabled": found.disabled}
        return Found(ident, now, {name: value for name, value in now.items() if name in self.inputs})

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it, if it is still ours; it is disconnected."""
        del outputs
        with self._dynsec.alone():
            found = client(self._dynsec, ident)
            if found is not None and found.mark.of(self._dynsec.owner) and not found.mark.shard:
                self._dynsec.do([{"command": "deleteClient", "username": ident}])


def digest(password: str) -> str:
    """Return what may be kept of a password; a digest stays as it is."""
    if password.startswith(DIGEST):
        return password
    return DIGEST + hashlib.pbkdf2_hmac("sha256", password.encode(), b"motcua client", ROUNDS).hex()


def _outputs(news: Props) -> Props:
    password = news.get("password")
    return {**news, "password": digest(str(password))} if password else dict(news)


def _roles(props: Props) -> set[str]:
    value = props.get("roles")
    return {str(one) for one in value} if isinstance(value, list | tuple) else set()


def _wanted(news: Props) -> set[str]:
    return set() if news.get("disabled") else _roles(news)


def _changes(news: Props, found: ClientThere | None, mark: Mark, *, fresh: bool) -> list[Command]:
    name, password = str(news["username"]), news.get("password")
    commands: list[Command] = []
    if found is None:
        commands.append({"command": "createClient", "username": name, "textdescription": str(mark)})
    elif found.mark != mark:
        commands.append({"command": "modifyClient", "username": name, "textdescription": str(mark)})
    if password and (fresh or found is None):
        commands.append({"command": "setClientPassword", "username": name, "password": password})
    commands += role_changes(name, _wanted(news), found.roles if found else ())
    if bool(found and found.disabled) != bool(news.get("disabled")):
        commands.append({"command": "disableClient" if news.get("disabled") else "enableClient", "username": name})
    return commands


def _faults(props: Props) -> Iterator[Failure]:
    name, roles, password = props.get("username"), props["roles"], props.get("password")
    if not isinstance(name, str) or not name or any(sign in name for sign in ":+#/"):
        yield Failure("username", "is missing, or holds one of : + # /")
    if not isinstance(roles, list) or not all(isinstance(one, str) for one in roles):
        yield Failure("roles", "is no list of role names")
    if not isinstance(props["disabled"], bool):
        yield Failure("disabled", "is neither true nor false")
    if password is not None and (not isinstance(password, str) or not password or password.startswith(DIGEST)):
        yield Failure("password", "is empty, or no password; leave it out for a client with a certificate")
