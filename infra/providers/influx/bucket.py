"""Buckets of an InfluxDB: name, retention, shards. It must not cut a retention unless told so."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from infra.providers.influx.fields import flag, must, number, text, whole, word
from infra.providers.influx.resource import Thing, rows
from infra.providers.resource_kind import Failure, ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
CONSENT: Final = "set allow_shrink to true (config motcua:influx, allowShrink) if the older data may go"


def default_shard(retention_s: int) -> int:
    """Return the shard that InfluxDB chooses for a retention, s; sent always, for a PATCH does not compute it."""
    if retention_s == 0 or retention_s >= 180 * DAY_S:
        return 7 * DAY_S
    return DAY_S if retention_s >= 2 * DAY_S else HOUR_S


def shard(inputs: Props) -> int:
    """Return the shard to send, s."""
    return whole(inputs, "shard_s") or default_shard(whole(inputs, "retention_s"))


def cuts(old_s: int, new_s: int) -> bool:
    """Tell whether a retention becomes shorter; 0 keeps for ever."""
    return new_s != 0 and (old_s == 0 or new_s < old_s)


def kept(seconds: int) -> str:
    """Return a retention in words."""
    return "for ever" if seconds == 0 else f"{seconds} s"


class Bucket(Thing):
    """A bucket by organisation and name; retention 0 keeps for ever, a shard left out (or 0) is computed."""

    fields: ClassVar = {
        "org": must(), "name": must(), "retention_s": number(0), "shard_s": number(), "description": text(""),
        "adopt": flag(), "allow_shrink": flag(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    path: ClassVar = "/buckets"
    noun: ClassVar = "bucket"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Return the inputs with defaults, and what is wrong with them; a shard of 0 is one left out."""
        return super().check(olds, {name: value for name, value in news.items() if (name, value) != ("shard_s", 0)})

    def faults(self, olds: Props, props: Props) -> list[Failure]:
        """Return what InfluxDB would refuse, or what would lose data."""
        return [*_name_faults(word(props, "name")), *_time_faults(props), *_cut_faults(olds, props)]

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over what an earlier run or, when allowed, somebody else made."""
        org_id, name = self.org_id(word(inputs, "org")), word(inputs, "name")
        found = self.bucket(org_id, name)
        if found is None:
            told = {"orgID": org_id, "name": name, "description": self.description(inputs), **_rules(inputs)}
            said, adopted = self._client.post("/buckets", told), False
        else:
            adopted = self.may_take(found, inputs)
            said = self._set(found, inputs, adopted=adopted)
        return str(said["id"]), {**inputs, **self.computed(said), "adopted": adopted}

    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the bucket of this name."""
        return self.bucket(org_id, word(inputs, "name"))

    def computed(self, said: Json) -> Props:
        """Return ids and the shard in force."""
        return {**super().computed(said), "bucket_id": str(said["id"]), "shard_in_force_s": _rule(said)[1]}

    def _set(self, said: Json, inputs: Props, *, adopted: bool) -> Json:
        """Bring one that exists to the inputs; retention and shard always go together."""
        old, new = _rule(said)[0], whole(inputs, "retention_s")
        if cuts(old, new) and inputs.get("allow_shrink") is not True:
            raise ProviderError(
                f"bucket {word(inputs, 'name')!r} at {self._client.url} keeps {kept(old)}, and {kept(new)} would cut "
                f"it; {CONSENT}"
            )
        told = {"name": word(inputs, "name"), **_rules(inputs)}
        told["description"] = self.description(inputs, said, adopted=adopted)
        return self._client.patch(f"/buckets/{said['id']}", told)

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return name, retention and shard as they are; a computed shard that is as computed stays left out."""
        retention_s, shard_s = _rule(said)
        left_out = not outputs.get("shard_s") and shard_s == default_shard(retention_s)
        found = {"name": word(said, "name"), "retention_s": retention_s, "description": self.told(said, outputs)}
        return found if left_out else {**found, "shard_s": shard_s}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:
        """Rename, describe, or set retention and shard, both at once."""
        said = self._client.get(f"/buckets/{ident}")
        return self._set(said, news, adopted=olds.get("adopted") is True)


def _rule(said: Json) -> tuple[int, int]:
    """Return retention and shard, s."""
    rules = rows(said, "retentionRules")
    rule = rules[0] if rules else {}
    return whole(rule, "everySeconds"), whole(rule, "shardGroupDurationSeconds")


def _rules(inputs: Props) -> dict[str, object]:
    rule = {"everySeconds": whole(inputs, "retention_s"), "shardGroupDurationSeconds": shard(inputs)}
    return {"retentionRules": [{"type": "expire", **rule}]}


def _name_faults(name: str) -> list[Failure]:
    if name.startswith("_") or '"' in name:
        return [Failure("name", f"InfluxDB takes no bucket {name!r}; use no leading underscore and no quote")]
    return [] if name == name.strip() else [Failure("name", "begins or ends with a blank; take it away")]


def _time_faults(props: Props) -> list[Failure]:
    retention_s, shard_s = props.get("retention_s", 0), props.get("shard_s", 0)
    if not isinstance(retention_s, int) or not isinstance(shard_s, int):
        return []
    faults = []
    if 0 < retention_s < HOUR_S:
        faults.append(
            Failure("retention_s", f"{retention_s} s is too short; InfluxDB keeps 3600 s at least, 0 for ever")
        )
    if 0 < shard_s < HOUR_S:
        faults.append(Failure("shard_s", f"{shard_s} s is too short; use 3600 s or more, or leave it out"))
    if 0 < retention_s < shard_s:
        faults.append(
            Failure("shard_s", f"{shard_s} s is longer than the retention of {retention_s} s; use a shorter one")
        )
    return faults


def _cut_faults(olds: Props, props: Props) -> list[Failure]:
    old, new = whole(olds, "retention_s"), whole(props, "retention_s")
    same = {name: olds.get(name) for name in ("org", "name")} == {name: props.get(name) for name in ("org", "name")}
    if not olds or "retention_s" not in olds or not cuts(old, new) or props.get("allow_shrink") is True:
        return []
    what = "this bucket" if same else "the bucket"
    return [Failure("retention_s", f"{what} keeps {kept(old)} now and {kept(new)} would cut it; {CONSENT}")]
