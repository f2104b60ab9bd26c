"""Organisations of an InfluxDB. It must not delete one that it took over, or in which an operator token lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.influx.fields import flag, must, text, word
from infra.providers.influx.resource import Thing, rows
from infra.providers.resource_kind import Failure

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Found, Props


class Organisation(Thing):
    """An organisation by its name; `adopt` takes over one that somebody else made, which then outlives us."""

    fields: ClassVar = {"name": must(), "description": text(""), "adopt": flag()}
    inputs: ClassVar = frozenset(fields)
    path: ClassVar = "/orgs"
    noun: ClassVar = "organisation"

    def faults(self, olds: Props, props: Props) -> list[Failure]:  # noqa: ARG002 - as the kind asks
        """Return what is wrong with the name."""
        name = word(props, "name")
        return [] if name == name.strip() else [Failure("name", "begins or ends with a blank; take it away")]

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over what an earlier run or, when allowed, somebody else made."""
        name = word(inputs, "name")
        found = self.org(name)
        if found is None:
            said = self._client.post("/orgs", {"name": name, "description": self.description(inputs)})
            return self._made(said, inputs, adopted=False)
        adopted = self.may_take(found, inputs)
        wanted = self.description(inputs, found, adopted=adopted)
        said = self._client.patch(f"/orgs/{found['id']}", {"description": wanted})
        return self._made(said, inputs, adopted=adopted)

    def _made(self, said: Json, inputs: Props, *, adopted: bool) -> tuple[str, Props]:
        return str(said["id"]), {**inputs, **self.computed(said), "adopted": adopted}

    def computed(self, said: Json) -> Props:
        """Return the id and whose server it is on."""
        return {"org_id": str(said["id"]), "instance": self._client.known_operator()}

    def locate(self, inputs: Props) -> Found | None:
        """Return the organisation of this name."""
        said = self.org(word(inputs, "name"))
        return None if said is None else self.found(said, {**inputs, "adopted": not self.ours(said)})

    def there(self, inputs: Props, org_id: str) -> Json | None:  # noqa: ARG002 - it lies in no other
        """Return what the server tells of the organisation of this name."""
        return self.org(word(inputs, "name"))

    def said(self, ident: str, outputs: Props) -> Json | None:
        """Return what the server tells of it."""
        found = super().said(ident, outputs)
        return None if found is None else {**found, "orgID": ident}

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return name and description as they are."""
        return {"name": word(said, "name"), "description": self.told(said, outputs)}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:
        """Rename or describe it."""
        adopted = olds.get("adopted") is True
        told = {"name": word(news, "name"), "description": self.description(news, adopted=adopted)}
        if adopted and not told["description"]:
            del told["description"]
        return self._client.patch(f"/orgs/{ident}", told)

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it with all that is in it, unless its loss would leave the server without an operator token."""
        if not self._holds_operator(ident):
            super().delete(ident, outputs)

    def _holds_operator(self, ident: str) -> bool:
        tokens = rows(self._client.find("/authorizations", orgID=ident), "authorizations")
        return any(_unbound(permission) for token in tokens for permission in rows(token, "permissions"))


def _unbound(permission: Json) -> bool:
    """Tell whether a permission reaches all organisations."""
    resource = cast("Json", permission["resource"])
    return permission["action"] == "write" and resource["type"] == "orgs" and not resource.keys() & {"id", "orgID"}
