"""Makes the cluster's objects by Pulumi. It must not decide what they hold: that is the manifests'.

The first run makes the base; when InfluxDB can be reached (`kubernetes.influxReachable`), the next one the roles.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as k8s

from infra.components.part import Part
from infra.targets.kubernetes.manifests import Cluster as World, base, needed, roles
from infra.targets.kubernetes.names import SERVICES_PORT, broker_host
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.config.options import Options
    from infra.plan import Plan
    from infra.targets.kubernetes.objects import Manifest, SecretValue

KINDS: dict[str, type[pulumi.CustomResource]] = {
    "v1 ConfigMap": k8s.core.v1.ConfigMap,
    "v1 Namespace": k8s.core.v1.Namespace,
    "v1 PersistentVolumeClaim": k8s.core.v1.PersistentVolumeClaim,
    "v1 Secret": k8s.core.v1.Secret,
    "v1 Service": k8s.core.v1.Service,
    "v1 ServiceAccount": k8s.core.v1.ServiceAccount,
    "apps/v1 Deployment": k8s.apps.v1.Deployment,
    "apps/v1 StatefulSet": k8s.apps.v1.StatefulSet,
    "autoscaling/v2 HorizontalPodAutoscaler": k8s.autoscaling.v2.HorizontalPodAutoscaler,
    "batch/v1 CronJob": k8s.batch.v1.CronJob,
    "networking.k8s.io/v1 Ingress": k8s.networking.v1.Ingress,
    "networking.k8s.io/v1 NetworkPolicy": k8s.networking.v1.NetworkPolicy,
    "policy/v1 PodDisruptionBudget": k8s.policy.v1.PodDisruptionBudget,
}
PROTECTED = ("Namespace", "PersistentVolumeClaim", "StatefulSet")
"""What holds data, or goes with everything in it."""
SETTLED = {"StatefulSet": ["spec.volumeClaimTemplates"], "PersistentVolumeClaim": ["spec.resources"]}
"""What Kubernetes refuses to change: a volume keeps its size when the plan's grows; `kubectl patch pvc` grows it."""
DERIVED = ("grafanaPassword",)
"""Secrets that follow from the operator token when the stack does not give them: they stay as long as it does."""
ARGUMENTS = {"stringData": "string_data", "automountServiceAccountToken": "automount_service_account_token"}


class Cluster(Part):
    """Every object of the stack in one cluster."""

    part = "cluster"

    def __init__(
        self, stage: str, context: str, values: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:  # fmt: skip
        super().__init__("cluster", stage, opts)
        self._provider = k8s.Provider("kubernetes", context=context or None, opts=pulumi.ResourceOptions(parent=self))
        self._values = values
        self._namespace: list[pulumi.Resource] = []
        self.made: dict[str, pulumi.CustomResource] = {}

    def make(self, objects: Iterable[Manifest]) -> None:
        """Make or change objects; the namespace comes first."""
        for one in objects:
            kind, name = one["kind"], one["metadata"]["name"]
            found = self._resource(one, f"{kind.lower()}-{name}")
            self.made[f"{kind}/{name}"] = found
            if kind == "Namespace":
                self._namespace.append(found)

    def _resource(self, manifest: Manifest, name: str) -> pulumi.CustomResource:
        rest = dict(manifest)
        kind = f"{rest.pop('apiVersion')} {rest.pop('kind')}"
        if "stringData" in rest:
            rest["stringData"] = {key: self._value(value) for key, value in rest["stringData"].items()}
        made = self.child(protect=manifest["kind"] in PROTECTED, after=list(self._namespace))
        own = pulumi.ResourceOptions(provider=self._provider, ignore_changes=SETTLED.get(manifest["kind"]))
        opts = pulumi.ResourceOptions.merge(made, own)
        arguments: dict[str, Any] = {ARGUMENTS.get(key, key): value for key, value in rest.items()}
        return KINDS[kind](name, **arguments, opts=opts)

    def _value(self, place: SecretValue) -> pulumi.Output[str]:
        return pulumi.Output.secret(self._values[place.name])


def deploy(
    plan: Plan,
    options: Options,
    secrets: Mapping[str, pulumi.Input[str]],
    inventory_files: Mapping[str, str],
    opts: pulumi.ResourceOptions | None = None,
) -> dict[str, pulumi.Input[object]]:
    """Make or change the base, and the roles once InfluxDB is reachable; returns the stack's outputs.

    Raises ConfigError naming every secret that is missing.
    """
    world = World(plan, options, inventory_files)
    reachable = options.kubernetes.influx_reachable
    objects = (*base(world), *(roles(world) if reachable else ()))
    values = completed(secrets, needed(objects))
    cluster = Cluster(plan.stage, options.kubernetes.context, values, opts)
    cluster.make(objects)
    found = outputs(world)
    cluster.register_outputs({})
    return found


def completed(secrets: Mapping[str, pulumi.Input[str]], names: Iterable[str]) -> dict[str, pulumi.Input[str]]:
    """Return every value that is needed; those that may be derived are. Raises ConfigError."""
    wanted = list(names)
    missing = [name for name in wanted if name not in secrets and name not in DERIVED]
    if missing:
        remedy = "set it with `pulumi config set --secret {}`, or make the part of the stack that gives it"
        raise ConfigError([Fault("secrets", 0, name, "is missing", remedy.format(name)) for name in missing])
    return {name: secrets[name] if name in secrets else _derived(secrets["influxToken"], name) for name in wanted}


def _derived(token: pulumi.Input[str], name: str) -> pulumi.Output[str]:
    def value(key: str) -> str:
        return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()

    return pulumi.Output.secret(token).apply(value)


def outputs(world: World) -> dict[str, pulumi.Input[object]]:
    """Return what operators ask for: addresses, and the next step of a first roll-out."""
    options = world.options
    reachable = options.kubernetes.influx_reachable
    step = (
        f"kubectl -n {world.namespace} port-forward service/influxdb 8086, kubernetes.influxReachable: true, pulumi up"
    )
    return {
        "namespace": world.namespace,
        "apiUrl": f"https://{options.kubernetes.api_host}/",
        "brokerAddress": f"mqtts://{options.broker.host}:{options.broker.port}",
        "brokerForServices": f"mqtts://{broker_host(world)}:{SERVICES_PORT}",
        "next": "" if reachable else step,
    }
