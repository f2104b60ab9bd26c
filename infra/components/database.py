"""InfluxDB as a component: the instance and what the plan wants in it. It must not decide names or rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.components.part import MotcuaComponent
from infra.providers.resources import MotcuaResource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from infra.providers.resource_kind import ResourceSpec

OPERATORS_ORG = "motcua-operators"
"""The organisation that set-up makes for the operator token; nothing else lies in it."""
PROTECTED_KINDS = ("influx.organisation", "influx.bucket")
DEPENDENCY_ORDER = ("influx.organisation", "influx.bucket", "influx.remote")


class Database(MotcuaComponent):
    """Organisation, buckets, tokens, tasks, streams; `tokens` are the roles' tokens, secret."""

    type_key = "database"

    def __init__(
        self,
        specs: Sequence[ResourceSpec],
        stage: str,
        secrets: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("database", stage, opts)
        first: dict[str, pulumi.Input[object]] = {"username": "motcua", "org": OPERATORS_ORG, "bucket": OPERATORS_ORG}
        if "influxPassword" in secrets:
            first["password"] = secrets["influxPassword"]
        instance = MotcuaResource("influx.instance", "influxdb", first, self.child_options(protect=True))
        created_by_kind: dict[str, list[pulumi.Resource]] = {}
        self.things = {}
        for spec in specs:
            dependencies = [
                instance,
                *(
                    resource
                    for kind in DEPENDENCY_ORDER
                    for resource in created_by_kind.get(kind, [])
                    if kind != spec.kind
                ),
            ]
            inputs: dict[str, pulumi.Input[object]] = dict(spec.inputs)
            if spec.kind == "influx.remote":
                inputs["token"] = secrets["nationalToken"]
            resource = MotcuaResource(
                spec.kind,
                spec.name,
                inputs,
                self.child_options(protect=spec.kind in PROTECTED_KINDS, after=dependencies),
            )
            created_by_kind.setdefault(spec.kind, []).append(resource)
            self.things[spec.name] = resource
        self.register_outputs({})

    def token(self, name: str) -> pulumi.Output[str]:
        """Return a role's token."""
        return self._resource(f"token-{name}").output("token")

    def _resource(self, name: str) -> MotcuaResource:
        return self.things[name]
