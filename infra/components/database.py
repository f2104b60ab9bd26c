"""InfluxDB as a component: the instance and the plan's resources in it. It must not decide names or rights."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pulumi

from infra.components.component import MotcuaComponent
from infra.providers.resources import MotcuaResource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.providers.resource_kind import ResourceSpec

OPERATORS_ORG = "motcua-operators"
"""The organisation that the set-up creates for the operator token; it holds nothing else."""
PROTECTED_KINDS = ("influx.organisation", "influx.bucket")
DEPENDENCY_ORDER = ("influx.organisation", "influx.bucket", "influx.remote")


def digest_of_token(token: str) -> str:
    """Return a text that changes with the token, to be treated as a secret: somebody may have chosen a short one."""
    return sha256(f"motcua operator token {token}".encode()).hexdigest()


class Database(MotcuaComponent):
    """Organisation, buckets, tokens, tasks, replications; `instance` is the server, `token` a role's token, secret."""

    type_key = "database"

    def __init__(
        self,
        specs: Sequence[ResourceSpec],
        stage: str,
        secrets: Mapping[str, pulumi.Input[str]],
        url: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("database", stage, opts)
        first: dict[str, pulumi.Input[object]] = {
            "username": "motcua", "org": OPERATORS_ORG, "bucket": OPERATORS_ORG, "url": url,
            "token_digest": pulumi.Output.secret(secrets["influxToken"]).apply(digest_of_token),
        }  # fmt: skip
        if "influxPassword" in secrets:
            first["password"] = secrets["influxPassword"]
        self.instance = MotcuaResource("influx.instance", "influxdb", first, self.child_options(protect=True))
        created_by_kind: dict[str, list[pulumi.Resource]] = {}
        self.resources: dict[str, MotcuaResource] = {}
        for spec in specs:
            earlier = [kind for kind in DEPENDENCY_ORDER if kind != spec.kind]
            dependencies = [self.instance, *(made for kind in earlier for made in created_by_kind.get(kind, []))]
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
            self.resources[spec.name] = resource
        self.register_outputs({})

    def token(self, name: str) -> pulumi.Output[str]:
        """Return a role's token."""
        return self.resources[f"token-{name}"].output("token")
