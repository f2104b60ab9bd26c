"""Class names by which states of earlier versions refer to their provider. Nothing new may be added here.

Versions before `DynamicProvider` had a class for each kind, and a state refers to it by module and name.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from pulumi.dynamic import ReadResult

from infra.providers.dynamic import DynamicProvider
from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import ResourceKind

EARLIER_CLASSES = {
    "InstanceSkin": "influx.instance", "OrganisationSkin": "influx.organisation", "BucketSkin": "influx.bucket",
    "AuthorizationSkin": "influx.authorization", "TaskSkin": "influx.task", "DbrpSkin": "influx.dbrp",
    "RemoteSkin": "influx.remote", "ReplicationSkin": "influx.replication", "AuthoritySkin": "pki.authority",
    "CertificateSkin": "pki.certificate", "RevocationListSkin": "pki.revocation_list", "FilesSkin": "host.files",
}  # fmt: skip
"""Class name in a state → kind."""
REMOVED_CLASSES = ("DefaultAccessSkin", "RoleSkin", "ClientSkin", "RegistryShardSkin", "NotificationEndpointSkin")
REMOVED_KIND = (
    "this version of Motcua no longer manages mosquitto's dynamic security and InfluxDB's notification endpoints; "
    "they leave the stack's state, and nothing on the server is changed or deleted"
)


class RemovedKindProvider(DynamicProvider):
    """Replaces the providers of removed kinds: a state that contains one can be refreshed and deleted."""

    def open_kind(self, _setting: Callable[[str], str]) -> ResourceKind:
        """Refuse everything but `read` and `delete`. Raises ProviderError."""
        raise ProviderError(REMOVED_KIND)

    def read(self, id_: str, props: dict[str, object]) -> ReadResult:
        """Report the resource as deleted."""
        del id_, props
        _warn_removed()
        return ReadResult("", {})

    def delete(self, _id: str, _props: dict[str, object]) -> None:
        """Delete nothing on the server."""
        _warn_removed()


@functools.cache
def _warn_removed() -> None:
    """Write the message once per provider process; the engine shows what a provider writes to stderr."""
    sys.stderr.write(f"{REMOVED_KIND}\n")
    sys.stderr.flush()


for _name, _kind in EARLIER_CLASSES.items():
    globals()[_name] = type(_name, (DynamicProvider,), {"kind": _kind, "__module__": __name__})
globals().update(dict.fromkeys(REMOVED_CLASSES, RemovedKindProvider))
