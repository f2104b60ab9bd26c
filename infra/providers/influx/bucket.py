"""Buckets of an InfluxDB and the names that InfluxQL readers use for them (DBRP mappings).

It must not shorten a retention without `allow_shrink`, nor touch the virtual mappings that InfluxDB creates itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final, cast

from pydantic import AfterValidator

from infra.providers.influx.resource import InfluxKind, NonNegativeInt, TrimmedName, as_int, as_text, items_in
from infra.providers.resource_kind import InputFault, KindInputs, ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
SHRINK_ADVICE: Final = "set allow_shrink to true (config motcua:influx, allowShrink) if the older data may go"


def default_shard_s(retention_s: int) -> int:
    """Return the shard that InfluxDB chooses for a retention, s; always sent, because a PATCH does not compute it."""
    if retention_s == 0 or retention_s >= 180 * DAY_S:
        return 7 * DAY_S
    return DAY_S if retention_s >= 2 * DAY_S else HOUR_S


def effective_shard_s(inputs: Props) -> int:
    """Return the shard to send, s."""
    return as_int(inputs, "shard_s") or default_shard_s(as_int(inputs, "retention_s"))


def shrinks(old_s: int, new_s: int) -> bool:
    """Return whether a retention becomes shorter; 0 is without limit."""
    return new_s != 0 and (old_s == 0 or new_s < old_s)


def format_retention(seconds: int) -> str:
    """Return a retention in words."""
    return "for ever" if seconds == 0 else f"{seconds} s"


def _check_bucket_name(name: str) -> str:
    if name.startswith("_") or '"' in name:
        raise ValueError(f"InfluxDB accepts no bucket {name!r}; use no leading underscore and no quote")
    return name


class BucketInputs(KindInputs):
    """The inputs of BucketKind; durations in s."""

    org: str
    name: Annotated[TrimmedName, AfterValidator(_check_bucket_name)]
    retention_s: NonNegativeInt = 0
    shard_s: NonNegativeInt | None = None
    description: str = ""
    adopt: bool = False
    allow_shrink: bool = False


class BucketKind(InfluxKind):
    """A bucket by organisation and name; retention 0 is without limit, a shard left out (or 0) is computed."""

    model: ClassVar = BucketInputs
    api_path: ClassVar = "/buckets"
    noun: ClassVar = "bucket"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Return the inputs with defaults, and what is wrong with them; a shard of 0 is one left out."""
        return super().check(olds, {name: value for name, value in news.items() if (name, value) != ("shard_s", 0)})

    def combined_faults(self, olds: Props, props: Props) -> list[InputFault]:
        """Return what InfluxDB would refuse, or what would lose data."""
        return [*_duration_faults(props), *_shrink_faults(olds, props)]

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or take over the one of an earlier run or, when allowed, one that is not ours."""
        org_id, name = self.require_org_id(as_text(inputs, "org")), as_text(inputs, "name")
        existing = self.find_bucket(org_id, name)
        if existing is None:
            body = {
                "orgID": org_id,
                "name": name,
                "description": self.tagged_description(inputs),
                **_retention_body(inputs),
            }
            answer, adopted = self._client.post("/buckets", body), False
        else:
            adopted = self.check_adoption(existing, inputs)
            answer = self._update_existing(existing, inputs, adopted=adopted)
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer), "adopted": adopted}

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return the server's answer for the bucket of this name."""
        return self.find_bucket(org_id, as_text(inputs, "name"))

    def computed_outputs(self, answer: Json) -> Props:
        """Return ids and the shard in force."""
        return {
            **super().computed_outputs(answer),
            "bucket_id": str(answer["id"]),
            "shard_in_force_s": _retention_and_shard(answer)[1],
        }

    def _update_existing(self, existing: Json, inputs: Props, *, adopted: bool) -> Json:
        """Apply the inputs to an existing one; retention and shard are always sent together."""
        old, new = _retention_and_shard(existing)[0], as_int(inputs, "retention_s")
        if shrinks(old, new) and inputs.get("allow_shrink") is not True:
            raise ProviderError(
                f"bucket {as_text(inputs, 'name')!r} at {self._client.url} keeps {format_retention(old)}, "
                f"and {format_retention(new)} would cut it; {SHRINK_ADVICE}"
            )
        body = {"name": as_text(inputs, "name"), **_retention_body(inputs)}
        body["description"] = self.tagged_description(inputs, existing, adopted=adopted)
        return self._client.patch(f"/buckets/{existing['id']}", body)

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return name, retention and shard as they are; a computed shard that is as computed stays left out."""
        retention_s, shard_s = _retention_and_shard(answer)
        left_out = not outputs.get("shard_s") and shard_s == default_shard_s(retention_s)
        inputs = {
            "name": as_text(answer, "name"),
            "retention_s": retention_s,
            "description": self.description_input(answer, outputs),
        }
        return inputs if left_out else {**inputs, "shard_s": shard_s}

    def apply(self, ident: str, olds: Props, news: Props) -> Json:
        """Rename, describe, or set retention and shard, both at once."""
        existing = self._client.get(f"/buckets/{ident}")
        return self._update_existing(existing, news, adopted=olds.get("adopted") is True)


def _retention_and_shard(answer: Json) -> tuple[int, int]:
    """Return retention and shard, s."""
    rules = items_in(answer, "retentionRules")
    rule = rules[0] if rules else {}
    return as_int(rule, "everySeconds"), as_int(rule, "shardGroupDurationSeconds")


def _retention_body(inputs: Props) -> dict[str, object]:
    rule = {"everySeconds": as_int(inputs, "retention_s"), "shardGroupDurationSeconds": effective_shard_s(inputs)}
    return {"retentionRules": [{"type": "expire", **rule}]}


def _duration_faults(props: Props) -> list[InputFault]:
    retention_s, shard_s = props.get("retention_s", 0), props.get("shard_s", 0)
    if not isinstance(retention_s, int) or not isinstance(shard_s, int):
        return []
    faults = []
    if 0 < retention_s < HOUR_S:
        faults.append(
            InputFault("retention_s", f"{retention_s} s is too short; InfluxDB keeps 3600 s at least, 0 for ever")
        )
    if 0 < shard_s < HOUR_S:
        faults.append(InputFault("shard_s", f"{shard_s} s is too short; use 3600 s or more, or leave it out"))
    if 0 < retention_s < shard_s:
        faults.append(
            InputFault("shard_s", f"{shard_s} s is longer than the retention of {retention_s} s; use a shorter one")
        )
    return faults


def _shrink_faults(olds: Props, props: Props) -> list[InputFault]:
    old, new = as_int(olds, "retention_s"), as_int(props, "retention_s")
    same = {name: olds.get(name) for name in ("org", "name")} == {name: props.get(name) for name in ("org", "name")}
    if not olds or "retention_s" not in olds or not shrinks(old, new) or props.get("allow_shrink") is True:
        return []
    what = "this bucket" if same else "the bucket"
    return [
        InputFault(
            "retention_s",
            f"{what} keeps {format_retention(old)} now and {format_retention(new)} would cut it; {SHRINK_ADVICE}",
        )
    ]


class DbrpInputs(KindInputs):
    """The inputs of DbrpKind."""

    org: str
    database: str
    policy: str
    bucket: str
    default: bool = False


class DbrpKind(InfluxKind):
    """A mapping by organisation, database and retention policy; it has no tag, so only an equal one is taken over.

    The first mapping of a database is always its default; that is InfluxDB's rule.
    """

    model: ClassVar = DbrpInputs
    immutable: ClassVar = frozenset({"database", "bucket"})
    delete_first: ClassVar = True
    api_path: ClassVar = "/dbrps"
    noun: ClassVar = "mapping"

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or take over one that maps to the same bucket."""
        org_id = self.require_org_id(as_text(inputs, "org"))
        bucket_id = self.require_bucket_id(org_id, as_text(inputs, "bucket"))
        existing = self.find_by_name(inputs, org_id)
        if existing is None:
            names = {"orgID": org_id, "bucketID": bucket_id, "database": as_text(inputs, "database")}
            answer = self._client.post(self.api_path, {**names, **_mapping_body(inputs)})
        elif existing["bucketID"] == bucket_id:
            answer = self._update_mapping(str(existing["id"]), org_id, inputs)
        else:
            raise ProviderError(
                f"InfluxDB at {self._client.url} maps {as_text(inputs, 'database')}/{as_text(inputs, 'policy')} to "
                "another bucket already; remove that mapping (influx v1 dbrp delete), or choose other names"
            )
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer)}

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return the server's answer for the mapping of these names."""
        query = {"db": as_text(inputs, "database"), "rp": as_text(inputs, "policy")}
        candidates = items_in(self._client.get(self.api_path, orgID=org_id, **query), "content")
        mapping = next((candidate for candidate in candidates if candidate.get("virtual") is not True), None)
        return mapping and self._with_bucket_name(mapping)

    def _with_bucket_name(self, mapping: Json) -> Json:
        return {**mapping, "bucket": self.bucket_name(mapping["bucketID"])}

    def _update_mapping(self, ident: str, org_id: str, inputs: Props) -> Json:
        return cast(
            "Json", self._client.patch(f"{self.api_path}/{ident}", _mapping_body(inputs), orgID=org_id)["content"]
        )

    def computed_outputs(self, answer: Json) -> Props:
        """Return the ids."""
        return {**super().computed_outputs(answer), "bucket_id": str(answer["bucketID"])}

    def fetch(self, ident: str, outputs: Props) -> Json | None:
        """Return the server's answer for the mapping, with its bucket's name."""
        answer = self._client.find(f"{self.api_path}/{ident}", orgID=as_text(outputs, "org_id"))
        return answer and self._with_bucket_name(cast("Json", answer["content"]))

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return the mapping as it is; an undeclared default is no drift, because one mapping always is."""
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


def _mapping_body(inputs: Props) -> dict[str, object]:
    return {"retention_policy": as_text(inputs, "policy"), "default": inputs.get("default") is True}
