"""Replication to another InfluxDB: its address, the bucket to copy. It must not read the remote token back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

from infra.providers.influx.resource import (
    InfluxKind,
    NonNegativeInt,
    TagName,
    as_int,
    as_text,
    first_item_in,
    items_in,
)
from infra.providers.resource_kind import KindInputs, ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

MIN_QUEUE_BYTES: Final = 33_554_430
"""Smallest queue that InfluxDB accepts, bytes."""
_ORG_ID: Final = re.compile(r"[0-9a-f]{16}")


class _UniquelyNamedKind(InfluxKind):
    """A kind whose names are unique in an organisation and whose other inputs can be changed."""

    list_key: ClassVar[str]

    def _create_or_update(self, inputs: Props, org_id: str, body: dict[str, object]) -> Json:
        """Create it, or update the one of an earlier run or, when allowed, one that is not ours."""
        existing = self.find_by_name(inputs, org_id)
        if existing is None:
            return self._client.post(self.api_path, {"orgID": org_id, **body})
        self.check_adoption(existing, inputs)
        return self._client.patch(f"{self.api_path}/{existing['id']}", body)

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return the server's answer for the resource of this name."""
        return first_item_in(self._client.get(self.api_path, orgID=org_id, name=as_text(inputs, "name")), self.list_key)


def _check_org_id(ident: str) -> str:
    if not _ORG_ID.fullmatch(ident):
        raise ValueError("is not an id of 16 hex digits; look it up with: influx org list")
    return ident


def _check_server_url(url: str) -> str:
    if not _is_server_url(url):
        raise ValueError("is no http:// or https:// address without user and query; correct it")
    return url


class RemoteInputs(KindInputs):
    """The inputs of RemoteKind; `token` belongs to the other InfluxDB and is a secret."""

    org: str
    name: TagName
    url: Annotated[str, AfterValidator(_check_server_url)]
    token: str
    remote_org_id: Annotated[str, AfterValidator(_check_org_id)]
    allow_insecure_tls: bool = False
    description: str = ""
    adopt: bool = False


class RemoteKind(_UniquelyNamedKind):
    """Another InfluxDB: address, organisation there, and a token that may write; the token is an input and a secret."""

    model: ClassVar = RemoteInputs
    survives_org_deletion: ClassVar = True
    api_path: ClassVar = "/remotes"
    noun: ClassVar = "remote"
    list_key: ClassVar = "remotes"

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or update the existing one."""
        answer = self._create_or_update(inputs, self.require_org_id(as_text(inputs, "org")), self._remote_body(inputs))
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer)}

    def _remote_body(self, inputs: Props) -> dict[str, object]:
        return {
            "name": as_text(inputs, "name"),
            "description": self.tagged_description(inputs),
            "remoteURL": as_text(inputs, "url"),
            "remoteAPIToken": as_text(inputs, "token"),
            "remoteOrgID": as_text(inputs, "remote_org_id"),
            "allowInsecureTLS": inputs.get("allow_insecure_tls") is True,
        }

    def computed_outputs(self, answer: Json) -> Props:
        """Return the ids."""
        return {**super().computed_outputs(answer), "remote_id": str(answer["id"])}

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return everything except the token, which no server returns."""
        return {
            "name": as_text(answer, "name"),
            "url": as_text(answer, "remoteURL"),
            "remote_org_id": as_text(answer, "remoteOrgID"),
            "allow_insecure_tls": answer.get("allowInsecureTLS") is True,
            "description": self.description_input(answer, outputs),
        }

    def apply(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - only some kinds need all
        """Apply the inputs, including the token."""
        return self._client.patch(f"{self.api_path}/{ident}", self._remote_body(news))


def _check_queue_size(size: int) -> int:
    if size < MIN_QUEUE_BYTES:
        raise ValueError(f"is below {MIN_QUEUE_BYTES}, InfluxDB's least; raise it")
    return size


class ReplicationInputs(KindInputs):
    """The inputs of ReplicationKind."""

    org: str
    name: TagName
    remote: str
    bucket: str
    remote_bucket: str
    max_queue_bytes: Annotated[int, AfterValidator(_check_queue_size)]
    max_age_s: NonNegativeInt
    drop_non_retryable: bool = False
    description: str = ""
    adopt: bool = False


class ReplicationKind(_UniquelyNamedKind):
    """A bucket's copy at a remote, of data written from now on; the queue limits the unsent data."""

    model: ClassVar = ReplicationInputs
    immutable: ClassVar = frozenset({"bucket"})
    delete_first: ClassVar = True
    api_path: ClassVar = "/replications"
    noun: ClassVar = "replication"
    list_key: ClassVar = "replications"

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or update the existing one."""
        org_id = self.require_org_id(as_text(inputs, "org"))
        bucket_id = self.require_bucket_id(org_id, as_text(inputs, "bucket"))
        body = self._replication_body(inputs, self._require_remote_id(org_id, as_text(inputs, "remote")))
        answer = self._create_or_update(inputs, org_id, {**body, "localBucketID": bucket_id})
        if answer["localBucketID"] != bucket_id:
            raise ProviderError(
                f"InfluxDB at {self._client.url} has replication {as_text(inputs, 'name')!r} of "
                f"another bucket already; "
                "delete it (influx replication delete), or choose another name"
            )
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer)}

    def _require_remote_id(self, org_id: str, remote: str) -> str:
        remotes = items_in(self._client.get("/remotes", orgID=org_id), "remotes")
        ids = [str(candidate["id"]) for candidate in remotes if remote in {candidate["id"], candidate["name"]}]
        if not ids:
            raise ProviderError(f"InfluxDB at {self._client.url} has no remote {remote!r}; create it first")
        return ids[0]

    def _replication_body(self, inputs: Props, remote_id: str) -> dict[str, object]:
        return {
            "name": as_text(inputs, "name"),
            "description": self.tagged_description(inputs),
            "remoteID": remote_id,
            "remoteBucketName": as_text(inputs, "remote_bucket"),
            "maxQueueSizeBytes": as_int(inputs, "max_queue_bytes"),
            "maxAgeSeconds": as_int(inputs, "max_age_s"),
            "dropNonRetryableData": inputs.get("drop_non_retryable") is True,
        }

    def computed_outputs(self, answer: Json) -> Props:
        """Return the ids."""
        ids = {"remote_id": str(answer["remoteID"]), "bucket_id": str(answer["localBucketID"])}
        return {**super().computed_outputs(answer), **ids, "replication_id": str(answer["id"])}

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return the stream as it is; remote as name or id, as in the inputs."""
        ident = answer["remoteID"]
        remote = as_text(self._client.find(f"/remotes/{ident}") or {}, "name")
        return {
            "name": as_text(answer, "name"),
            "remote": ident if outputs.get("remote") == ident else remote,
            "bucket": self.bucket_name(answer["localBucketID"]),
            "remote_bucket": as_text(answer, "RemoteBucketName"),
            "max_queue_bytes": as_int(answer, "maxQueueSizeBytes"),
            "max_age_s": as_int(answer, "maxAgeSeconds"),
            "drop_non_retryable": answer.get("dropNonRetryableData") is True,
            "description": self.description_input(answer, outputs),
        }

    def apply(self, ident: str, olds: Props, news: Props) -> Json:
        """Apply the inputs; unsent data remain in the queue."""
        body = self._replication_body(news, self._require_remote_id(as_text(olds, "org_id"), as_text(news, "remote")))
        return self._client.patch(f"{self.api_path}/{ident}", body)


def _is_server_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username and not parts.query
    except ValueError:
        return False
