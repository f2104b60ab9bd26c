"""Who may do what at a broker with dynamic security, as a component. It must not decide rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.components.part import Part
from infra.providers.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from infra.providers.kind import Declared


class Access(Part):
    """Roles, then the clients that have them, and the shards of the device registry."""

    part = "access"

    def __init__(self, things: Sequence[Declared], stage: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("access", stage, opts)
        roles: list[pulumi.Resource] = []
        for one in things:
            after = roles if one.kind == "broker.client" else []
            thing = RESOURCES[one.kind](one.name, one.inputs, self.child(after=list(after)))
            if one.kind == "broker.role":
                roles.append(thing)
        self.register_outputs({})
