"""API tokens of an InfluxDB. It must not read a token back: only the answer to the POST contains it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, cast

from pydantic import AfterValidator

from infra.providers.influx.resource import (
    InfluxKind,
    OwnershipTag,
    TagName,
    as_text,
    items_in,
    parse_tag,
    strip_tag,
)
from infra.providers.resource_kind import KindInputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

PermissionKey = tuple[str, str, str]
"""Action, type of resource, and the bucket's name, empty for all."""
BUCKETS: Final = "buckets"
RESOURCE_TYPES: Final = frozenset({
    "authorizations", "buckets", "dashboards", "orgs", "tasks", "telegrafs", "users", "variables", "secrets", "labels",
    "views", "documents", "notificationRules", "notificationEndpoints", "checks", "dbrp", "annotations", "sources",
    "scrapers", "notebooks", "remotes", "replications",
})  # fmt: skip
_PERMISSION_KEYS: Final = {"action", "type", "bucket"}


def permission_key(permission: Props) -> PermissionKey:
    """Return a permission as a key."""
    return as_text(permission, "action"), as_text(permission, "type") or BUCKETS, as_text(permission, "bucket")


def canonical_permissions(permissions: object) -> frozenset[PermissionKey]:
    """Return a list of permissions as keys, without order and repetition."""
    return frozenset(permission_key(permission) for permission in cast("list[Props]", permissions))


def to_permission_inputs(rights: Iterable[PermissionKey]) -> list[dict[str, str]]:
    """Return rights as an input, in order."""
    return [
        {"action": action, "type": kind, **({"bucket": bucket} if bucket else {})}
        for action, kind, bucket in sorted(rights)
    ]


def permissions_digest(permissions: object) -> str:
    """Return a short digest of a list of permissions."""
    return sha256(repr(sorted(canonical_permissions(permissions))).encode()).hexdigest()[:12]


def _check_permissions(permissions: list[object]) -> list[object]:
    if not permissions:
        raise ValueError("is empty; a token needs one permission at least")
    reasons = [_permission_fault(f"permission {number}", entry) for number, entry in enumerate(permissions, 1)]
    if any(reasons):
        raise ValueError("; ".join(reason for reason in reasons if reason))
    return permissions


def _permission_fault(what: str, permission: object) -> str:
    if not isinstance(permission, dict) or permission.keys() - _PERMISSION_KEYS:
        return f"{what} is no mapping of action, type and bucket"
    action, kind, bucket = permission_key(permission)
    if action not in {"read", "write"}:
        return f"{what}: action {action!r} is neither read nor write"
    if kind not in RESOURCE_TYPES:
        return f"{what}: type {kind!r} is unknown; use one of {', '.join(sorted(RESOURCE_TYPES))}"
    return f"{what}: only type buckets takes a bucket" if bucket and kind != BUCKETS else ""


PermissionList = Annotated[list[object], AfterValidator(_check_permissions)]


class AuthorizationInputs(KindInputs):
    """The inputs of AuthorizationKind; each permission has action, type (default buckets) and bucket."""

    org: str
    name: TagName
    permissions: PermissionList
    active: bool = True
    description: str = ""


class AuthorizationKind(InfluxKind):
    """A token by organisation and name, which is in the ownership tag; new permissions need a new token.

    A create whose answer was lost leaves a token whose value is lost: it has the same name and rights, and is deleted
    when the create is run again. One of the same name with other rights is the predecessor, still in use.
    """

    model: ClassVar = AuthorizationInputs
    immutable: ClassVar = frozenset({"name", "permissions"})
    secret_outputs: ClassVar[tuple[str, ...]] = ("token",)
    api_path: ClassVar = "/authorizations"
    noun: ClassVar = "token"

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Return whether two values mean the same; the order of permissions is ignored."""
        if name == "permissions":
            return canonical_permissions(old) == canonical_permissions(new)
        return super().is_equivalent(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create a token; one that an earlier run created and lost is deleted."""
        org_id = self.require_org_id(as_text(inputs, "org"))
        permissions = [
            self._permission_body(org_id, permission)
            for permission in sorted(canonical_permissions(inputs["permissions"]))
        ]
        tag = self._input_tag(inputs)
        for orphan in self._tokens_named(org_id, inputs):
            if (orphan_tag := parse_tag(orphan.get("description"))) and orphan_tag.digest == tag.digest:
                self._client.delete(f"{self.api_path}/{orphan['id']}")
        body = {
            "orgID": org_id,
            "description": tag.prepend_to(as_text(inputs, "description")),
            "permissions": permissions,
        }
        answer = self._client.post(self.api_path, {**body, "status": _status(inputs)})
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer), "token": answer["token"]}

    def _tokens_named(self, org_id: str, inputs: Props) -> list[Json]:
        """Return our tokens of this name, those with the declared rights first; InfluxDB lists all at once."""
        wanted_tag = self._input_tag(inputs)
        candidates = []
        for token in items_in(self._client.get(self.api_path, orgID=org_id), "authorizations"):
            tag = parse_tag(token.get("description"))
            if tag and tag.belongs_to(wanted_tag.owner) and tag.resource_name == wanted_tag.resource_name:
                candidates.append((tag.digest != wanted_tag.digest, str(token["id"]), token))
        return [token for *_, token in sorted(candidates, key=lambda row: row[:2])]

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return the server's answer for the token of this name."""
        return next(iter(self._tokens_named(org_id, inputs)), None)

    def _input_tag(self, inputs: Props) -> OwnershipTag:
        return self.ownership_tag(as_text(inputs, "name"), permissions_digest(inputs["permissions"]))

    def _permission_body(self, org_id: str, wanted: PermissionKey) -> Json:
        action, kind, bucket = wanted
        resource: Json = {"type": kind, "orgID": org_id}
        if kind == "orgs":
            resource = {"type": kind, "id": org_id}
        elif bucket:
            resource["id"] = self.require_bucket_id(org_id, bucket)
        return {"action": action, "resource": resource}

    def computed_outputs(self, answer: Json) -> Props:
        """Return ids; never the token, which the server may have hashed."""
        return {**super().computed_outputs(answer), "authorization_id": str(answer["id"])}

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return rights by name, state and description as they are; a right on a deleted bucket is left out."""
        tag = parse_tag(answer.get("description"))
        actual = {key for permission in items_in(answer, "permissions") if (key := _key_of_answer(permission))}
        alike = actual == canonical_permissions(outputs.get("permissions", []))
        permissions = outputs["permissions"] if alike else to_permission_inputs(actual)
        is_known = tag is not None and tag.resource_name == as_text(outputs, "name") and self.is_ours(answer)
        description = (
            strip_tag(answer.get("description")) if is_known else f"(unmarked) {answer.get('description', '')}"
        )
        return {"permissions": permissions, "active": answer.get("status") == "active", "description": description}

    def apply(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - only some kinds need all
        """Activate, deactivate or describe it; the token is unchanged."""
        described = self._input_tag(news).prepend_to(as_text(news, "description"))
        return self._client.patch(f"{self.api_path}/{ident}", {"status": _status(news), "description": described})


def _status(inputs: Props) -> str:
    return "active" if inputs.get("active") is not False else "inactive"


def _key_of_answer(permission: Json) -> PermissionKey | None:
    """Return the key of a server's permission, None when its bucket was deleted."""
    resource = cast("Json", permission["resource"])
    kind = as_text(resource, "type")
    if kind != BUCKETS or "id" not in resource:
        return as_text(permission, "action"), kind, ""
    name = as_text(resource, "name")
    return (as_text(permission, "action"), kind, name) if name else None
