"""Streams to another InfluxDB: where it is, which bucket is copied. It must not read the remote token back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

from infra.providers.influx.fields import flag, must, text, whole, word
from infra.providers.influx.resource import Thing, first, rows
from infra.providers.resource_kind import Failure, ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

LEAST_QUEUE: Final = 33_554_430
"""Smallest queue that InfluxDB takes, bytes."""
_ID: Final = re.compile(r"[0-9a-f]{16}")


class _Named(Thing):
    """A thing whose name is unique in its organisation, and which can be changed in every other input."""

    key: ClassVar[str]

    def _taken(self, inputs: Props, org_id: str, told: dict[str, object]) -> Json:
        """Make it, or bring what an earlier run or, when allowed, somebody else made to the inputs."""
        found = self.there(inputs, org_id)
        if found is None:
            return self._client.post(self.path, {"orgID": org_id, **told})
        self.may_take(found, inputs)
        return self._client.patch(f"{self.path}/{found['id']}", told)

    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the thing of this name."""
        return first(self._client.get(self.path, orgID=org_id, name=word(inputs, "name")), self.key)


class Remote(_Named):
    """Another InfluxDB: address, organisation there, and a token that may write; the token is an input and a secret."""

    fields: ClassVar = {
        "org": must(), "name": must(), "url": must(), "token": must(), "remote_org_id": must(),
        "allow_insecure_tls": flag(), "description": text(""), "adopt": flag(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    outlives: ClassVar = True
    path: ClassVar = "/remotes"
    noun: ClassVar = "remote"
    key: ClassVar = "remotes"

    def faults(self, olds: Props, props: Props) -> list[Failure]:
        """Return what is wrong with name, address and organisation."""
        faults = super().faults(olds, props)
        ident, url = word(props, "remote_org_id"), word(props, "url")
        if ident and not _ID.fullmatch(ident):
            faults.append(Failure("remote_org_id", "is no id of 16 hex digits; ask there: influx org list"))
        if url and not _address(url):
            faults.append(Failure("url", "is no http:// or https:// address without user and query"))
        return faults

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or bring what is there to the inputs."""
        said = self._taken(inputs, self.org_id(word(inputs, "org")), self._told(inputs))
        return str(said["id"]), {**inputs, **self.computed(said)}

    def _told(self, inputs: Props) -> dict[str, object]:
        return {
            "name": word(inputs, "name"),
            "description": self.description(inputs),
            "remoteURL": word(inputs, "url"),
            "remoteAPIToken": word(inputs, "token"),
            "remoteOrgID": word(inputs, "remote_org_id"),
            "allowInsecureTLS": inputs.get("allow_insecure_tls") is True,
        }

    def computed(self, said: Json) -> Props:
        """Return the ids."""
        return {**super().computed(said), "remote_id": str(said["id"])}

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return everything but the token, which no server tells."""
        return {
            "name": word(said, "name"),
            "url": word(said, "remoteURL"),
            "remote_org_id": word(said, "remoteOrgID"),
            "allow_insecure_tls": said.get("allowInsecureTLS") is True,
            "description": self.told(said, outputs),
        }

    def bring(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - as Thing asks
        """Bring it to the inputs, the token included."""
        return self._client.patch(f"{self.path}/{ident}", self._told(news))


class Replication(_Named):
    """A bucket's copy at a remote: what is written from now on, up to a queue's bytes and age while it is away."""

    fields: ClassVar = {
        "org": must(), "name": must(), "remote": must(), "bucket": must(), "remote_bucket": must(),
        "max_queue_bytes": must(int), "max_age_s": must(int), "drop_non_retryable": flag(), "description": text(""),
        "adopt": flag(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    fixed: ClassVar = frozenset({"bucket"})
    delete_first: ClassVar = True
    path: ClassVar = "/replications"
    noun: ClassVar = "replication"
    key: ClassVar = "replications"

    def faults(self, olds: Props, props: Props) -> list[Failure]:
        """Return what is wrong with name and queue."""
        faults, size = super().faults(olds, props), props.get("max_queue_bytes")
        if isinstance(size, int) and size < LEAST_QUEUE:
            faults.append(Failure("max_queue_bytes", f"is below {LEAST_QUEUE}, InfluxDB's least; raise it"))
        return faults

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or bring what is there to the inputs."""
        org_id = self.org_id(word(inputs, "org"))
        bucket_id = self.bucket_id(org_id, word(inputs, "bucket"))
        told = self._told(inputs, self._remote_id(org_id, word(inputs, "remote")))
        said = self._taken(inputs, org_id, {**told, "localBucketID": bucket_id})
        if said["localBucketID"] != bucket_id:
            raise ProviderError(
                f"InfluxDB at {self._client.url} has replication {word(inputs, 'name')!r} of another bucket already; "
                "delete it (influx replication delete), or choose another name"
            )
        return str(said["id"]), {**inputs, **self.computed(said)}

    def _remote_id(self, org_id: str, remote: str) -> str:
        found = rows(self._client.get("/remotes", orgID=org_id), "remotes")
        ids = [str(one["id"]) for one in found if remote in {one["id"], one["name"]}]
        if not ids:
            raise ProviderError(f"InfluxDB at {self._client.url} has no remote {remote!r}; make it first")
        return ids[0]

    def _told(self, inputs: Props, remote_id: str) -> dict[str, object]:
        return {
            "name": word(inputs, "name"),
            "description": self.description(inputs),
            "remoteID": remote_id,
            "remoteBucketName": word(inputs, "remote_bucket"),
            "maxQueueSizeBytes": whole(inputs, "max_queue_bytes"),
            "maxAgeSeconds": whole(inputs, "max_age_s"),
            "dropNonRetryableData": inputs.get("drop_non_retryable") is True,
        }

    def computed(self, said: Json) -> Props:
        """Return the ids."""
        ids = {"remote_id": str(said["remoteID"]), "bucket_id": str(said["localBucketID"])}
        return {**super().computed(said), **ids, "replication_id": str(said["id"])}

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return the stream as it is; remote as name or id, whichever was given."""
        ident = said["remoteID"]
        remote = word(self._client.find(f"/remotes/{ident}") or {}, "name")
        return {
            "name": word(said, "name"),
            "remote": ident if outputs.get("remote") == ident else remote,
            "bucket": self.bucket_name(said["localBucketID"]),
            "remote_bucket": word(said, "RemoteBucketName"),
            "max_queue_bytes": whole(said, "maxQueueSizeBytes"),
            "max_age_s": whole(said, "maxAgeSeconds"),
            "drop_non_retryable": said.get("dropNonRetryableData") is True,
            "description": self.told(said, outputs),
        }

    def bring(self, ident: str, olds: Props, news: Props) -> Json:
        """Bring it to the inputs; what waits in the queue stays."""
        told = self._told(news, self._remote_id(word(olds, "org_id"), word(news, "remote")))
        return self._client.patch(f"{self.path}/{ident}", told)


def _address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username and not parts.query
    except ValueError:
        return False
