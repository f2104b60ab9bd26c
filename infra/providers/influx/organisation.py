"""Organisations of an InfluxDB. It must not delete an adopted one, or one with an operator token."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.influx.resource import InfluxKind, TrimmedName, as_text, items_in
from infra.providers.resource_kind import KindInputs

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props, ResourceState


class OrganisationInputs(KindInputs):
    """The inputs of OrganisationKind."""

    name: TrimmedName
    description: str = ""
    adopt: bool = False


class OrganisationKind(InfluxKind):
    """An organisation by its name; `adopt` takes over an existing one, which is then never deleted."""

    model: ClassVar = OrganisationInputs
    api_path: ClassVar = "/orgs"
    noun: ClassVar = "organisation"

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or take over the one of an earlier run or, when allowed, one that is not ours."""
        name = as_text(inputs, "name")
        existing = self.find_org(name)
        if existing is None:
            answer = self._client.post("/orgs", {"name": name, "description": self.tagged_description(inputs)})
            return self._id_and_outputs(answer, inputs, adopted=False)
        adopted = self.check_adoption(existing, inputs)
        description = self.tagged_description(inputs, existing, adopted=adopted)
        answer = self._client.patch(f"/orgs/{existing['id']}", {"description": description})
        return self._id_and_outputs(answer, inputs, adopted=adopted)

    def _id_and_outputs(self, answer: Json, inputs: Props, *, adopted: bool) -> tuple[str, Props]:
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer), "adopted": adopted}

    def computed_outputs(self, answer: Json) -> Props:
        """Return the ids of organisation and server."""
        return {"org_id": str(answer["id"]), "instance": self._client.cached_operator_id()}

    def locate(self, inputs: Props) -> ResourceState | None:
        """Return the organisation of this name."""
        answer = self.find_org(as_text(inputs, "name"))
        return None if answer is None else self.to_state(answer, {**inputs, "adopted": not self.is_ours(answer)})

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:  # noqa: ARG002 - it is in no other
        """Return the server's answer for the organisation of this name."""
        return self.find_org(as_text(inputs, "name"))

    def fetch(self, ident: str, outputs: Props) -> Json | None:
        """Return the server's answer for it."""
        answer = super().fetch(ident, outputs)
        return None if answer is None else {**answer, "orgID": ident}

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return name and description as they are."""
        return {"name": as_text(answer, "name"), "description": self.description_input(answer, outputs)}

    def apply(self, ident: str, olds: Props, news: Props) -> Json:
        """Rename or describe it."""
        adopted = olds.get("adopted") is True
        body = {"name": as_text(news, "name"), "description": self.tagged_description(news, adopted=adopted)}
        if adopted and not body["description"]:
            del body["description"]
        return self._client.patch(f"/orgs/{ident}", body)

    def delete(self, ident: str, outputs: Props) -> None:
        """Delete it with its contents, unless the server would lose an operator token with it."""
        if not self._holds_operator_token(ident):
            super().delete(ident, outputs)

    def _holds_operator_token(self, ident: str) -> bool:
        tokens = items_in(self._client.find("/authorizations", orgID=ident), "authorizations")
        return any(
            _reaches_all_organisations(permission) for token in tokens for permission in items_in(token, "permissions")
        )


def _reaches_all_organisations(permission: Json) -> bool:
    """Return whether a permission reaches all organisations."""
    resource = cast("Json", permission["resource"])
    return permission["action"] == "write" and resource["type"] == "orgs" and not resource.keys() & {"id", "orgID"}
