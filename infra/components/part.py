"""What every component has in common: its type from one table, children named and parented, protection by stage."""

from __future__ import annotations

from typing import ClassVar

import pulumi

TYPES = {
    "province": "motcua:platform:Province",
    "database": "motcua:influx:Database",
    "certificates": "motcua:pki:Certificates",
    "machine": "motcua:host:Machine",
    "cluster": "motcua:kubernetes:Cluster",
    "cloud": "motcua:openstack:Cloud",
}
"""Type tokens never change: state refers to them. A renamed thing gets an alias in ALIASES for two releases."""
ALIASES: dict[str, tuple[str, ...]] = {}
"""Type token of today → those of before."""


class Part(pulumi.ComponentResource):
    """A component; `part` names its type."""

    part: ClassVar[str]

    def __init__(self, name: str, stage: str, opts: pulumi.ResourceOptions | None = None) -> None:
        kind = TYPES[self.part]
        before = [pulumi.Alias(type_=one) for one in ALIASES.get(kind, ())]
        super().__init__(kind, name, None, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=before)))
        self._stage = stage

    def child(self, *, protect: bool = False, after: list[pulumi.Resource] | None = None) -> pulumi.ResourceOptions:
        """Return the options of a child; what must never go by accident is protected in stage prod."""
        return pulumi.ResourceOptions(parent=self, protect=protect and self._stage == "prod", depends_on=after or [])


class Province(Part):
    """Everything of one province's stack."""

    part = "province"
