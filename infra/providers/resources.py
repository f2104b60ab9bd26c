"""The kinds as Pulumi resources: their types, and which outputs are secret. It must decide nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pulumi
from pulumi.dynamic import Resource

from infra.providers import skins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.dynamic import DynamicProvider


class MotcuaResource(Resource):
    """A resource of one kind; `added` are outputs that are no inputs, `secret` those of them that are secret."""

    provider_class: ClassVar[type[DynamicProvider]]
    computed_outputs: ClassVar[tuple[str, ...]] = ()
    secret_outputs: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, name: str, inputs: Mapping[str, pulumi.Input[object]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {**inputs, **dict.fromkeys((*self.computed_outputs, *self.secret_outputs))}
        secret_options = pulumi.ResourceOptions(additional_secret_outputs=list(self.secret_outputs))
        provider = self.provider_class()
        provider.stack = pulumi.get_stack()
        super().__init__(provider, name, props, pulumi.ResourceOptions.merge(opts, secret_options))

    def output(self, name: str) -> pulumi.Output[str]:
        """Return an output, secret when it is declared so."""
        value: pulumi.Output[str] = getattr(self, name)
        return pulumi.Output.secret(value) if name in self.secret_outputs else value


class Instance(MotcuaResource, module="motcua/influx", name="Instance"):
    """InfluxDB itself, set up or taken over."""

    provider_class = skins.InstanceSkin


class Organisation(MotcuaResource, module="motcua/influx", name="Organisation"):
    """An organisation."""

    provider_class = skins.OrganisationSkin
    computed_outputs = ("org_id",)


class Bucket(MotcuaResource, module="motcua/influx", name="Bucket"):
    """A bucket."""

    provider_class = skins.BucketSkin


class Authorization(MotcuaResource, module="motcua/influx", name="Authorization"):
    """A token."""

    provider_class = skins.AuthorizationSkin
    secret_outputs = ("token",)


class Task(MotcuaResource, module="motcua/influx", name="Task"):
    """A Flux task."""

    provider_class = skins.TaskSkin


class Dbrp(MotcuaResource, module="motcua/influx", name="Dbrp"):
    """A name for InfluxQL readers."""

    provider_class = skins.DbrpSkin


class Remote(MotcuaResource, module="motcua/influx", name="Remote"):
    """Another InfluxDB."""

    provider_class = skins.RemoteSkin


class Replication(MotcuaResource, module="motcua/influx", name="Replication"):
    """A stream of a bucket to another InfluxDB."""

    provider_class = skins.ReplicationSkin


class Authority(MotcuaResource, module="motcua/pki", name="Authority"):
    """A stage's intermediate authority."""

    provider_class = skins.AuthoritySkin
    computed_outputs = ("certificate", "chain", "root", "serial", "fingerprint")
    secret_outputs = ("key",)


class Certificate(MotcuaResource, module="motcua/pki", name="Certificate"):
    """A certificate with its key."""

    provider_class = skins.CertificateSkin
    computed_outputs = ("certificate", "serial", "fingerprint")
    secret_outputs = ("key",)


class RevocationList(MotcuaResource, module="motcua/pki", name="RevocationList"):
    """A revocation list."""

    provider_class = skins.RevocationListSkin
    computed_outputs = ("crl",)


class Files(MotcuaResource, module="motcua/host", name="Files"):
    """Files of one folder on the machine where the program runs."""

    provider_class = skins.FilesSkin


RESOURCE_TYPES: dict[str, type[MotcuaResource]] = {
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
