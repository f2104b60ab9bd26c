"""Which server each kind asks, and with which of the stack's settings. It must decide nothing else.

Providers are pickled by reference and read the stack's configuration when they are asked, so no secret and no
address lies in a resource's state because of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from infra.options import Broker, Influx
from infra.providers import broker, influx, pki
from infra.providers.broker.administrator import administrator
from infra.providers.broker.dynsec import Dynsec
from infra.providers.files import Files as FilesKind
from infra.providers.kind import ProviderError
from infra.providers.skin import Skin

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.kind import Kind
    from telemetry.address import BrokerAddress


PATIENCE_S = 20.0
"""`up` writes the broker's files first, with which it begins again."""


class InfluxSkin(Skin):
    """A kind on the stack's InfluxDB: `influx` and the secret `influxToken` of the configuration."""

    kind: ClassVar[str]
    marked = True

    def open(self, setting: Callable[[str], str]) -> Kind:
        """Return the kind with a client of its own."""
        where = Influx.model_validate(json.loads(setting("influx") or "{}"))
        client = influx.Client(where.url, setting("influxToken"), owner=self.stack)
        return influx.KINDS[self.kind](client, where.accept_new)


class BrokerSkin(Skin):
    """A kind on the stack's broker: `broker` and the secret `brokerPassword` of the configuration."""

    kind: ClassVar[str]
    marked = True

    def open(self, setting: Callable[[str], str]) -> Kind:
        """Return the kind with a client of its own."""
        where = Broker.model_validate(json.loads(setting("broker") or "{}"))
        at = _administrator(where, setting("brokerPassword"))
        return broker.KINDS[self.kind](Dynsec(at, patience_s=PATIENCE_S, owner=self.stack))


def _administrator(where: Broker, password: str) -> BrokerAddress:
    if not where.url:
        told = "keep its url and username (config motcua:broker) until `up` or `destroy` has removed that"
        raise ProviderError(f"the state still holds what this stack made in the broker's dynamic security; {told}")
    return administrator(where, password)


class PkiSkin(Skin):
    """A kind that only reckons: keys and certificates."""

    kind: ClassVar[str]

    def open(self, _setting: Callable[[str], str]) -> Kind:
        """Return the kind."""
        return pki.KINDS[self.kind]()


class FilesSkin(Skin):
    """Files on the machine where the program runs."""

    marked = True

    def open(self, _setting: Callable[[str], str]) -> Kind:
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


class NotificationEndpointSkin(InfluxSkin):
    """Provider of NotificationEndpoint."""

    kind = "notification_endpoint"


class DefaultAccessSkin(BrokerSkin):
    """Provider of DefaultAccess."""

    kind = "default_access"


class RoleSkin(BrokerSkin):
    """Provider of Role."""

    kind = "role"


class ClientSkin(BrokerSkin):
    """Provider of Client."""

    kind = "client"


class RegistryShardSkin(BrokerSkin):
    """Provider of RegistryShard."""

    kind = "registry_shard"


class AuthoritySkin(PkiSkin):
    """Provider of Authority."""

    kind = "authority"


class CertificateSkin(PkiSkin):
    """Provider of Certificate."""

    kind = "certificate"


class RevocationListSkin(PkiSkin):
    """Provider of RevocationList."""

    kind = "revocation_list"
