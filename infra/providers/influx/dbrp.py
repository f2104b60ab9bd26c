"""Names under which InfluxQL readers find buckets. It must not touch the virtual ones that InfluxDB makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.influx.fields import flag, must, word
from infra.providers.influx.resource import Thing, rows
from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Failure, Props


class Dbrp(Thing):
    """A mapping by organisation, database and retention policy; it bears no mark, so only an equal one is taken over.

    The first mapping of a database is its default whatever is asked; that is InfluxDB's rule.
    """

    fields: ClassVar = {
        "org": must(), "database": must(), "policy": must(), "bucket": must(), "default": flag(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    fixed: ClassVar = frozenset({"database", "bucket"})
    delete_first: ClassVar = True
    path: ClassVar = "/dbrps"
    noun: ClassVar = "mapping"

    def faults(self, olds: Props, props: Props) -> list[Failure]:  # noqa: ARG002 - as the kind asks
        """Return nothing: only types matter."""
        return []

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over one that maps to the same bucket."""
        org_id = self.org_id(word(inputs, "org"))
        bucket_id = self.bucket_id(org_id, word(inputs, "bucket"))
        there = self.there(inputs, org_id)
        if there is None:
            names = {"orgID": org_id, "bucketID": bucket_id, "database": word(inputs, "database")}
            said = self._client.post(self.path, {**names, **_told(inputs)})
        elif there["bucketID"] == bucket_id:
            said = self._patch(str(there["id"]), org_id, inputs)
        else:
            raise ProviderError(
                f"InfluxDB at {self._client.url} maps {word(inputs, 'database')}/{word(inputs, 'policy')} to another "
                "bucket already; remove that mapping (influx v1 dbrp delete), or choose other names"
            )
        return str(said["id"]), {**inputs, **self.computed(said)}

    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the mapping of these names."""
        asked = {"db": word(inputs, "database"), "rp": word(inputs, "policy")}
        found = rows(self._client.get(self.path, orgID=org_id, **asked), "content")
        mapping = next((one for one in found if one.get("virtual") is not True), None)
        return mapping and self._named(mapping)

    def _named(self, mapping: Json) -> Json:
        return {**mapping, "bucket": self.bucket_name(mapping["bucketID"])}

    def _patch(self, ident: str, org_id: str, inputs: Props) -> Json:
        return cast("Json", self._client.patch(f"{self.path}/{ident}", _told(inputs), orgID=org_id)["content"])

    def computed(self, said: Json) -> Props:
        """Return the ids."""
        return {**super().computed(said), "bucket_id": str(said["bucketID"])}

    def said(self, ident: str, outputs: Props) -> Json | None:
        """Return what the server tells of the mapping, with its bucket's name."""
        found = self._client.find(f"{self.path}/{ident}", orgID=word(outputs, "org_id"))
        return found and self._named(cast("Json", found["content"]))

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return the mapping as it is; to be the default unasked is no drift, for one of a database always is."""
        names = {"database": word(said, "database"), "policy": word(said, "retention_policy")}
        default = said.get("default") is True and outputs.get("default") is True
        return {**names, "bucket": word(said, "bucket"), "default": default}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:
        """Set policy name and default."""
        return self._patch(ident, word(olds, "org_id"), news)

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it."""
        if not self._client.remove(f"{self.path}/{ident}", orgID=word(outputs, "org_id")):
            self.gone(outputs)


def _told(inputs: Props) -> dict[str, object]:
    return {"retention_policy": word(inputs, "policy"), "default": inputs.get("default") is True}
