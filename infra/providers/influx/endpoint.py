"""Where InfluxDB's own alerts go: HTTP endpoints. It must not read an endpoint's token back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from infra.providers.influx.fields import flag, must, text, word
from infra.providers.influx.thing import Thing, rows
from infra.providers.kind import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.influx.client import Json
    from infra.providers.kind import Props

PAGE: Final = 100


class NotificationEndpoint(Thing):
    """An HTTP endpoint by organisation and name; with a token (a secret input) it is called with `Bearer`."""

    fields: ClassVar = {
        "org": must(), "name": must(), "url": must(), "method": text("POST"), "token": text(),
        "active": flag(default=True), "description": text(""), "adopt": flag(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    outlives: ClassVar = True
    path: ClassVar = "/notificationEndpoints"
    noun: ClassVar = "notification endpoint"

    def faults(self, olds: Props, props: Props) -> list[Failure]:
        """Return what is wrong with name, address and method."""
        faults = super().faults(olds, props)
        if word(props, "url") and not word(props, "url").startswith(("http://", "https://")):
            faults.append(Failure("url", "is no http:// or https:// address"))
        if word(props, "method") not in {"POST", "PUT", "GET"}:
            faults.append(Failure("method", "is none of POST, PUT and GET"))
        return faults

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or bring what is there to the inputs."""
        org_id = self.org_id(word(inputs, "org"))
        found = self.there(inputs, org_id)
        if found is None:
            said = self._client.post(self.path, self._told(inputs, org_id))
        else:
            self.may_take(found, inputs)
            said = self._client.put(f"{self.path}/{found['id']}", self._told(inputs, org_id))
        return str(said["id"]), {**inputs, **self.computed(said)}

    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the endpoint of this name."""
        return next((one for one in self._all(org_id) if one.get("name") == inputs["name"]), None)

    def _all(self, org_id: str) -> Iterator[Json]:
        """Yield every endpoint of the organisation, page by page."""
        offset = 0
        while page := rows(
            self._client.get(self.path, orgID=org_id, limit=PAGE, offset=offset), "notificationEndpoints"
        ):
            yield from page
            offset += len(page)

    def _told(self, inputs: Props, org_id: str) -> dict[str, object]:
        token = word(inputs, "token")
        return {
            "orgID": org_id,
            "type": "http",
            "name": word(inputs, "name"),
            "description": self.description(inputs),
            "url": word(inputs, "url"),
            "method": word(inputs, "method"),
            "status": "active" if inputs.get("active") is not False else "inactive",
            **({"authMethod": "bearer", "token": token} if token else {"authMethod": "none"}),
        }

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return everything but the token; one that is not asked for any more reads as none."""
        found = {name: word(said, name) for name in ("name", "url", "method")}
        return {**found, "active": said.get("status") == "active", "description": self.told(said, outputs)}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:
        """Bring it to the inputs, the token included."""
        return self._client.put(f"{self.path}/{ident}", self._told(news, word(olds, "org_id")))
