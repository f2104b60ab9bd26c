"""The base of the components: types from one table, options of children, protection by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pulumi

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPE_TOKENS = {
    "province": "motcua:platform:Province",
    "database": "motcua:influx:Database",
    "certificates": "motcua:pki:Certificates",
    "machine": "motcua:host:Machine",
    "cluster": "motcua:kubernetes:Cluster",
    "cloud": "motcua:openstack:Cloud",
    "project": "motcua:openstack:Project",
    "cloud-part": "motcua:cloud:Part",
    "cloud-province": "motcua:cloud:Province",
    "cloud-system": "motcua:cloud:System",
    "cloud-zone": "motcua:cloud:Zone",
    "cloud-component": "motcua:cloud:Component",
    "cloud-flow": "motcua:cloud:Flow",
}
"""Type tokens never change: state refers to them. A renamed type gets an alias in TYPE_ALIASES for two releases."""
PROTECTED_STAGES = ("stage", "prod")
"""The stages whose data are somebody's: Pulumi refuses to delete them until the protection is removed."""
RETAINED_STAGE = "prod"
"""The stage in which data stay when their resource is removed from the program."""
TYPE_ALIASES: dict[str, tuple[str, ...]] = {}
"""Type token of today → those of before."""


class MotcuaComponent(pulumi.ComponentResource):
    """A component; `type_key` names its type."""

    type_key: ClassVar[str]

    def __init__(self, name: str, stage: str, opts: pulumi.ResourceOptions | None = None) -> None:
        type_token = TYPE_TOKENS[self.type_key]
        aliases = [pulumi.Alias(type_=token) for token in TYPE_ALIASES.get(type_token, ())]
        super().__init__(
            type_token, name, None, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=aliases))
        )
        self._stage = stage

    def child_options(
        self, *, protect: bool = False, after: list[pulumi.Resource] | None = None
    ) -> pulumi.ResourceOptions:
        """Return the options of a child; what must not be deleted by accident is protected, except in stage dev."""
        return pulumi.ResourceOptions(
            parent=self, protect=protect and self._stage in PROTECTED_STAGES, depends_on=after or []
        )

    def data_options(
        self, *, holds_data: bool, after: Sequence[pulumi.Resource] = (), ignored: Sequence[str] = ()
    ) -> pulumi.ResourceOptions:
        """Return the options of a child: in stage prod, data stay where they are when their object leaves the stack."""
        own = pulumi.ResourceOptions(
            ignore_changes=list(ignored), retain_on_delete=holds_data and self._stage == RETAINED_STAGE
        )
        return pulumi.ResourceOptions.merge(self.child_options(protect=holds_data, after=list(after)), own)


class Province(MotcuaComponent):
    """Everything of one province's stack."""

    type_key = "province"
