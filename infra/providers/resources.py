"""The kinds as Pulumi resources: their type tokens and which outputs are secret. It must decide nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import Resource

from infra.providers.dynamic import DynamicProvider

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type token, the outputs that are no inputs, and the secret ones. States contain tokens: they never change."""

    token: str
    computed_outputs: tuple[str, ...] = ()
    secret_outputs: tuple[str, ...] = ()


RESOURCE_TYPES = {
    "influx.instance": ResourceType("dynamic/motcua/influx:Instance"),
    "influx.organisation": ResourceType("dynamic/motcua/influx:Organisation", ("org_id",)),
    "influx.bucket": ResourceType("dynamic/motcua/influx:Bucket"),
    "influx.authorization": ResourceType("dynamic/motcua/influx:Authorization", (), ("token",)),
    "influx.task": ResourceType("dynamic/motcua/influx:Task"),
    "influx.dbrp": ResourceType("dynamic/motcua/influx:Dbrp"),
    "influx.remote": ResourceType("dynamic/motcua/influx:Remote"),
    "influx.replication": ResourceType("dynamic/motcua/influx:Replication"),
    "pki.authority": ResourceType(
        "dynamic/motcua/pki:Authority", ("certificate", "chain", "root", "serial", "fingerprint"), ("key",)
    ),
    "pki.certificate": ResourceType(
        "dynamic/motcua/pki:Certificate", ("certificate", "serial", "fingerprint"), ("key",)
    ),
    "pki.revocation_list": ResourceType("dynamic/motcua/pki:RevocationList", ("crl",)),
    "host.files": ResourceType("dynamic/motcua/host:Files"),
}
"""Every kind by the name that a ResourceSpec has for it."""


class MotcuaResource(Resource):
    """A resource of one kind of `RESOURCE_TYPES`."""

    def __init__(
        self,
        kind: str,
        name: str,
        inputs: Mapping[str, pulumi.Input[object]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        self._declared_type = RESOURCE_TYPES[kind]
        self._resource_type_name = self._declared_type.token  # type: ignore[misc]
        secrets = self._declared_type.secret_outputs
        props = {**inputs, **dict.fromkeys((*self._declared_type.computed_outputs, *secrets))}
        secret_options = pulumi.ResourceOptions(additional_secret_outputs=list(secrets))
        provider = DynamicProvider(kind, pulumi.get_stack())
        super().__init__(provider, name, props, pulumi.ResourceOptions.merge(opts, secret_options))

    def output(self, name: str) -> pulumi.Output[str]:
        """Return an output, secret when it is declared so."""
        value: pulumi.Output[str] = getattr(self, name)
        return pulumi.Output.secret(value) if name in self._declared_type.secret_outputs else value
