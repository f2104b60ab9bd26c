"""Names under which InfluxQL readers find buckets. It must not touch the virtual ones that InfluxDB makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.influx.fields import as_text, boolean, required
from infra.providers.influx.resource import InfluxKind, items_in
from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import InputFault, Props


class DbrpKind(InfluxKind):
    """A mapping by organisation, database and retention policy; it bears no mark, so only an equal one is taken over.

    The first mapping of a database is its default whatever is asked; that is InfluxDB's rule.
    """

    input_fields: ClassVar = {
        "org": required(), "database": required(), "policy": required(), "bucket": required(), "default": boolean(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(input_fields)
    immutable: ClassVar = frozenset({"database", "bucket"})
    delete_first: ClassVar = True
    api_path: ClassVar = "/dbrps"
    noun: ClassVar = "mapping"

    def input_faults(self, olds: Props, props: Props) -> list[InputFault]:  # noqa: ARG002 - as the kind asks
        """Return nothing: only types matter."""
        return []

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over one that maps to the same bucket."""
        org_id = self.require_org_id(as_text(inputs, "org"))
        bucket_id = self.require_bucket_id(org_id, as_text(inputs, "bucket"))
        existing = self.find_by_name(inputs, org_id)
        if existing is None:
            names = {"orgID": org_id, "bucketID": bucket_id, "database": as_text(inputs, "database")}
            answer = self._client.post(self.api_path, {**names, **_request_body(inputs)})
        elif existing["bucketID"] == bucket_id:
            answer = self._update_mapping(str(existing["id"]), org_id, inputs)
        else:
            raise ProviderError(
                f"InfluxDB at {self._client.url} maps "
                f"{as_text(inputs, 'database')}/{as_text(inputs, 'policy')} to another "
                "bucket already; remove that mapping (influx v1 dbrp delete), or choose other names"
            )
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer)}

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the mapping of these names."""
        query = {"db": as_text(inputs, "database"), "rp": as_text(inputs, "policy")}
        candidates = items_in(self._client.get(self.api_path, orgID=org_id, **query), "content")
        mapping = next((candidate for candidate in candidates if candidate.get("virtual") is not True), None)
        return mapping and self._with_bucket_name(mapping)

    def _with_bucket_name(self, mapping: Json) -> Json:
        return {**mapping, "bucket": self.bucket_name(mapping["bucketID"])}

    def _update_mapping(self, ident: str, org_id: str, inputs: Props) -> Json:
        return cast(
            "Json", self._client.patch(f"{self.api_path}/{ident}", _request_body(inputs), orgID=org_id)["content"]
        )

    def computed_outputs(self, answer: Json) -> Props:
        """Return the ids."""
        return {**super().computed_outputs(answer), "bucket_id": str(answer["bucketID"])}

    def fetch(self, ident: str, outputs: Props) -> Json | None:
        """Return what the server tells of the mapping, with its bucket's name."""
        answer = self._client.find(f"{self.api_path}/{ident}", orgID=as_text(outputs, "org_id"))
        return answer and self._with_bucket_name(cast("Json", answer["content"]))

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return the mapping as it is; to be the default unasked is no drift, for one of a database always is."""
        names = {"database": as_text(answer, "database"), "policy": as_text(answer, "retention_policy")}
        default = answer.get("default") is True and outputs.get("default") is True
        return {**names, "bucket": as_text(answer, "bucket"), "default": default}

    def apply(self, ident: str, olds: Props, news: Props) -> Json:
        """Set policy name and default."""
        return self._update_mapping(ident, as_text(olds, "org_id"), news)

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it."""
        if not self._client.delete(f"{self.api_path}/{ident}", orgID=as_text(outputs, "org_id")):
            self.confirm_deleted(outputs)


def _request_body(inputs: Props) -> dict[str, object]:
    return {"retention_policy": as_text(inputs, "policy"), "default": inputs.get("default") is True}
