"""InfluxDB as a component: the instance and what the plan wants in it. It must not decide names or rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.components.part import Part
from infra.providers.resources import RESOURCES, Instance, Thing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from infra.providers.resource_kind import Declared

OPERATORS = "motcua-operators"
"""The organisation that set-up makes for the operator token; nothing else lies in it."""
PROTECTED = ("influx.organisation", "influx.bucket")
ORDER = ("influx.organisation", "influx.bucket", "influx.remote")


class Database(Part):
    """Organisation, buckets, tokens, tasks, streams; `tokens` are the roles' tokens, secret."""

    part = "database"

    def __init__(
        self,
        things: Sequence[Declared],
        stage: str,
        secrets: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("database", stage, opts)
        first: dict[str, pulumi.Input[object]] = {"username": "motcua", "org": OPERATORS, "bucket": OPERATORS}
        if "influxPassword" in secrets:
            first["password"] = secrets["influxPassword"]
        instance = Instance("influxdb", first, self.child(protect=True))
        made: dict[str, list[pulumi.Resource]] = {}
        self.things = {}
        for one in things:
            before = [instance, *(thing for kind in ORDER for thing in made.get(kind, []) if kind != one.kind)]
            inputs: dict[str, pulumi.Input[object]] = dict(one.inputs)
            if one.kind == "influx.remote":
                inputs["token"] = secrets["nationalToken"]
            thing = RESOURCES[one.kind](one.name, inputs, self.child(protect=one.kind in PROTECTED, after=before))
            made.setdefault(one.kind, []).append(thing)
            self.things[one.name] = thing
        self.register_outputs({})

    def token(self, name: str) -> pulumi.Output[str]:
        """Return a role's token."""
        return self._thing(f"token-{name}").output("token")

    def _thing(self, name: str) -> Thing:
        return self.things[name]
