"""The kinds as Pulumi resources: their types, and which outputs are secret. It must decide nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pulumi
from pulumi.dynamic import Resource

from infra.providers import skins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.dynamic import Skin


class Thing(Resource):
    """A resource of one kind; `added` are outputs that are no inputs, `secret` those of them that are secret."""

    skin: ClassVar[type[Skin]]
    added: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, name: str, inputs: Mapping[str, pulumi.Input[object]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {**inputs, **dict.fromkeys((*self.added, *self.secret))}
        hidden = pulumi.ResourceOptions(additional_secret_outputs=list(self.secret))
        provider = self.skin()
        provider.stack = pulumi.get_stack()
        super().__init__(provider, name, props, pulumi.ResourceOptions.merge(opts, hidden))

    def output(self, name: str) -> pulumi.Output[str]:
        """Return an output, secret when it is declared so."""
        found: pulumi.Output[str] = getattr(self, name)
        return pulumi.Output.secret(found) if name in self.secret else found


class Instance(Thing, module="motcua/influx", name="Instance"):
    """InfluxDB itself, set up or taken over."""

    skin = skins.InstanceSkin


class Organisation(Thing, module="motcua/influx", name="Organisation"):
    """An organisation."""

    skin = skins.OrganisationSkin
    added = ("org_id",)


class Bucket(Thing, module="motcua/influx", name="Bucket"):
    """A bucket."""

    skin = skins.BucketSkin


class Authorization(Thing, module="motcua/influx", name="Authorization"):
    """A token."""

    skin = skins.AuthorizationSkin
    secret = ("token",)


class Task(Thing, module="motcua/influx", name="Task"):
    """A Flux task."""

    skin = skins.TaskSkin


class Dbrp(Thing, module="motcua/influx", name="Dbrp"):
    """A name for InfluxQL readers."""

    skin = skins.DbrpSkin


class Remote(Thing, module="motcua/influx", name="Remote"):
    """Another InfluxDB."""

    skin = skins.RemoteSkin


class Replication(Thing, module="motcua/influx", name="Replication"):
    """A stream of a bucket to another InfluxDB."""

    skin = skins.ReplicationSkin


class Authority(Thing, module="motcua/pki", name="Authority"):
    """A stage's intermediate authority."""

    skin = skins.AuthoritySkin
    added = ("certificate", "chain", "root", "serial", "fingerprint")
    secret = ("key",)


class Certificate(Thing, module="motcua/pki", name="Certificate"):
    """A certificate with its key."""

    skin = skins.CertificateSkin
    added = ("certificate", "serial", "fingerprint")
    secret = ("key",)


class RevocationList(Thing, module="motcua/pki", name="RevocationList"):
    """A revocation list."""

    skin = skins.RevocationListSkin
    added = ("crl",)


class Files(Thing, module="motcua/host", name="Files"):
    """Files of one folder on the machine where the program runs."""

    skin = skins.FilesSkin


RESOURCES: dict[str, type[Thing]] = {
    "influx.instance": Instance,
    "influx.organisation": Organisation,
    "influx.bucket": Bucket,
    "influx.authorization": Authorization,
    "influx.task": Task,
    "influx.dbrp": Dbrp,
    "influx.remote": Remote,
    "influx.replication": Replication,
    "pki.authority": Authority,
    "pki.certificate": Certificate,
    "pki.revocation_list": RevocationList,
    "host.files": Files,
}
"""Every kind by its name in a declaration."""
