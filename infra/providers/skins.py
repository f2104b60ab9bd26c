"""Which server each kind asks, and with which of the stack's settings. It must decide nothing else.

Providers are pickled by reference and read the stack's configuration when they are asked, so no secret and no
address lies in a resource's state because of them.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, ClassVar

from pulumi.dynamic import ReadResult

from infra.config.options import InfluxOptions
from infra.providers import influx, pki
from infra.providers.dynamic import DynamicProvider
from infra.providers.files import FilesKind
from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import ResourceKind

REMOVED = (
    "this version of Motcua no longer manages mosquitto's dynamic security and InfluxDB's notification endpoints; "
    "they leave the stack's state, and nothing on the server is changed or deleted"
)


class InfluxSkin(DynamicProvider):
    """A kind on the stack's InfluxDB: `influx` and the secret `influxToken` of the configuration."""

    kind: ClassVar[str]
    records_owner = True

    def open_kind(self, setting: Callable[[str], str]) -> ResourceKind:
        """Return the kind with a client of its own."""
        where = InfluxOptions.model_validate(json.loads(setting("influx") or "{}"))
        client = influx.InfluxClient(where.url, setting("influxToken"), owner=self.stack)
        return influx.KINDS[self.kind](client, where.accept_new)


class PkiSkin(DynamicProvider):
    """A kind that only reckons: keys and certificates."""

    kind: ClassVar[str]

    def open_kind(self, _setting: Callable[[str], str]) -> ResourceKind:
        """Return the kind."""
        return pki.KINDS[self.kind]()


class FilesSkin(DynamicProvider):
    """Files on the machine where the program runs."""

    records_owner = True

    def open_kind(self, _setting: Callable[[str], str]) -> ResourceKind:
        """Return the kind."""
        return FilesKind(self.stack)


class InstanceSkin(InfluxSkin):
    """Provider of Instance."""

    kind = "instance"


class OrganisationSkin(InfluxSkin):
    """Provider of Organisation."""

    kind = "organisation"


class BucketSkin(InfluxSkin):
    """Provider of Bucket."""

    kind = "bucket"


class AuthorizationSkin(InfluxSkin):
    """Provider of Authorization."""

    kind = "authorization"


class TaskSkin(InfluxSkin):
    """Provider of Task."""

    kind = "task"


class DbrpSkin(InfluxSkin):
    """Provider of Dbrp."""

    kind = "dbrp"


class RemoteSkin(InfluxSkin):
    """Provider of Remote."""

    kind = "remote"


class ReplicationSkin(InfluxSkin):
    """Provider of Replication."""

    kind = "replication"


class AuthoritySkin(PkiSkin):
    """Provider of Authority."""

    kind = "authority"


class CertificateSkin(PkiSkin):
    """Provider of Certificate."""

    kind = "certificate"


class RevocationListSkin(PkiSkin):
    """Provider of RevocationList."""

    kind = "revocation_list"


class RemovedSkin(DynamicProvider):
    """Stands in for the providers of kinds that were removed: a state that holds one can be refreshed and deleted."""

    def open_kind(self, _setting: Callable[[str], str]) -> ResourceKind:
        """Refuse everything but `read` and `delete`. Raises ProviderError."""
        raise ProviderError(REMOVED)

    def read(self, id_: str, props: dict[str, object]) -> ReadResult:
        """Report the resource as gone."""
        del id_, props
        _warn_removed()
        return ReadResult("", {})

    def delete(self, _id: str, _props: dict[str, object]) -> None:
        """Delete nothing on the server."""
        _warn_removed()


@functools.cache
def _warn_removed() -> None:
    """Write the message once per provider process; the engine shows what a provider writes to stderr."""
    sys.stderr.write(f"{REMOVED}\n")
    sys.stderr.flush()


# States name these classes: Pulumi pickles a provider by reference.
DefaultAccessSkin = RoleSkin = ClientSkin = RegistryShardSkin = NotificationEndpointSkin = RemovedSkin
