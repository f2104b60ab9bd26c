"""API tokens of an InfluxDB. It must not read a token back: only the answer to the POST holds it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final, cast

from infra.providers.influx import marks
from infra.providers.influx.fields import Field, flag, ident_fault, must, text, word
from infra.providers.influx.resource import Thing, rows
from infra.providers.resource_kind import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

Right = tuple[str, str, str]
"""Action, type of resource, and the bucket's name, empty for all."""
BUCKETS: Final = "buckets"
TYPES: Final = frozenset({
    "authorizations", "buckets", "dashboards", "orgs", "tasks", "telegrafs", "users", "variables", "secrets", "labels",
    "views", "documents", "notificationRules", "notificationEndpoints", "checks", "dbrp", "annotations", "sources",
    "scrapers", "notebooks", "remotes", "replications",
})  # fmt: skip
_KEYS: Final = {"action", "type", "bucket"}


def right(permission: Props) -> Right:
    """Return what a permission means."""
    return word(permission, "action"), word(permission, "type") or BUCKETS, word(permission, "bucket")


def meaning(permissions: object) -> frozenset[Right]:
    """Return what a list of permissions means; order and repetition do not count."""
    return frozenset(right(one) for one in cast("list[Props]", permissions))


def as_input(rights: Iterable[Right]) -> list[dict[str, str]]:
    """Return rights as an input, in order."""
    return [
        {"action": action, "type": kind, **({"bucket": bucket} if bucket else {})}
        for action, kind, bucket in sorted(rights)
    ]


def digest(permissions: object) -> str:
    """Return a short name for what a list of permissions means."""
    return sha256(repr(sorted(meaning(permissions))).encode()).hexdigest()[:12]


class Authorization(Thing):
    """A token by organisation and name, which stands in a mark; new permissions need a new token.

    A create whose answer got lost leaves a token that nobody knows: it bears the same name and rights, and is deleted
    when the create is run again. One of the same name with other rights is the predecessor, still in use.
    """

    fields: ClassVar = {
        "org": must(), "name": must(), "permissions": Field(list, required=True), "active": flag(default=True),
        "description": text(""),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    fixed: ClassVar = frozenset({"name", "permissions"})
    secrets: ClassVar[tuple[str, ...]] = ("token",)
    path: ClassVar = "/authorizations"
    noun: ClassVar = "token"

    def faults(self, olds: Props, props: Props) -> list[Failure]:  # noqa: ARG002 - as the kind asks
        """Return what is wrong with name and permissions."""
        given = props.get("permissions")
        wrong = _permission_faults(given) if isinstance(given, list) else []
        return [*ident_fault("name", props.get("name")), *wrong]

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same; the order of permissions does not count."""
        if name == "permissions":
            return meaning(old) == meaning(new)
        return super().same(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make a token; one that an earlier run made and lost is deleted."""
        org_id = self.org_id(word(inputs, "org"))
        permissions = [self._permission(org_id, one) for one in sorted(meaning(inputs["permissions"]))]
        mark = self._mark(inputs)
        for lost in self._named(org_id, inputs):
            if (there := marks.read(lost.get("description"))) and there.digest == mark.digest:
                self._client.remove(f"{self.path}/{lost['id']}")
        told = {"orgID": org_id, "description": mark.on(word(inputs, "description")), "permissions": permissions}
        said = self._client.post(self.path, {**told, "status": _status(inputs)})
        return str(said["id"]), {**inputs, **self.computed(said), "token": said["token"]}

    def _named(self, org_id: str, inputs: Props) -> list[Json]:
        """Return our tokens of this name, those with the wanted rights first; InfluxDB lists all at once."""
        wanted = self._mark(inputs)
        found = []
        for one in rows(self._client.get(self.path, orgID=org_id), "authorizations"):
            mark = marks.read(one.get("description"))
            if mark and mark.of(wanted.owner) and mark.ident == wanted.ident:
                found.append((mark.digest != wanted.digest, str(one["id"]), one))
        return [one for *_, one in sorted(found, key=lambda row: row[:2])]

    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the token of this name."""
        return next(iter(self._named(org_id, inputs)), None)

    def _mark(self, inputs: Props) -> marks.Mark:
        return self.mark(word(inputs, "name"), digest(inputs["permissions"]))

    def _permission(self, org_id: str, wanted: Right) -> Json:
        action, kind, bucket = wanted
        resource: Json = {"type": kind, "orgID": org_id}
        if kind == "orgs":
            resource = {"type": kind, "id": org_id}
        elif bucket:
            resource["id"] = self.bucket_id(org_id, bucket)
        return {"action": action, "resource": resource}

    def computed(self, said: Json) -> Props:
        """Return ids; never the token, which the server may have hashed."""
        return {**super().computed(said), "authorization_id": str(said["id"])}

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return rights by name, state and description as they are; a right on a bucket that is gone is left out."""
        mark = marks.read(said.get("description"))
        there = {told for one in rows(said, "permissions") if (told := _told(one))}
        alike = there == meaning(outputs.get("permissions", []))
        permissions = outputs["permissions"] if alike else as_input(there)
        known = mark is not None and mark.ident == word(outputs, "name") and self.ours(said)
        bare = marks.bare(said.get("description")) if known else f"(unmarked) {said.get('description', '')}"
        return {"permissions": permissions, "active": said.get("status") == "active", "description": bare}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - as Thing asks
        """Switch it on or off, or describe it; the token stays."""
        described = self._mark(news).on(word(news, "description"))
        return self._client.patch(f"{self.path}/{ident}", {"status": _status(news), "description": described})


def _status(inputs: Props) -> str:
    return "active" if inputs.get("active") is not False else "inactive"


def _told(permission: Json) -> Right | None:
    """Return what the server says a permission means, None when its bucket is gone."""
    resource = cast("Json", permission["resource"])
    kind = word(resource, "type")
    if kind != BUCKETS or "id" not in resource:
        return word(permission, "action"), kind, ""
    name = word(resource, "name")
    return (word(permission, "action"), kind, name) if name else None


def _permission_faults(given: list[object]) -> list[Failure]:
    if not given:
        return [Failure("permissions", "is empty; a token needs one permission at least")]
    reasons = [reason for at, one in enumerate(given) if (reason := _reason(f"permission {at + 1}", one))]
    return [Failure("permissions", "; ".join(reasons))] if reasons else []


def _reason(what: str, one: object) -> str:
    if not isinstance(one, dict) or one.keys() - _KEYS:
        return f"{what} is no mapping of action, type and bucket"
    action, kind, bucket = right(one)
    if action not in {"read", "write"}:
        return f"{what}: action {action!r} is neither read nor write"
    if kind not in TYPES:
        return f"{what}: type {kind!r} is unknown; use one of {', '.join(sorted(TYPES))}"
    return f"{what}: only type buckets takes a bucket" if bucket and kind != BUCKETS else ""
