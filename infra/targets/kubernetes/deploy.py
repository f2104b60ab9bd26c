"""Deploys authorities, the cluster's objects and InfluxDB's tokens by Pulumi. It must not decide what they contain.

The first run creates the base. InfluxDB creates the tokens: the roles follow in the run in which it is reachable
(`kubernetes.influxReachable`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components.certificates import Certificates
from infra.components.component import MotcuaComponent, Province
from infra.components.database import Database
from infra.plan.workloads import SERVICES_PORT
from infra.resource_specs import resource_specs
from infra.targets.kubernetes.component_tls import serves_tls
from infra.targets.kubernetes.manifests import (
    base_manifests,
    check_cluster_options,
    required_secrets,
    stack_role_manifests,
)
from infra.targets.kubernetes.objects import ClusterSpec, broker_service_host
from infra.targets.kubernetes.provider import make_provider
from infra.targets.kubernetes.resources import IMMUTABLE_FIELDS, register_object
from infra.targets.kubernetes.roll_out import calls_of, component_of, roll_out, without_waiting
from infra.targets.kubernetes.secret_values import SecretValues, complete_secrets
from infra.targets.shared import StackOutputs, common_outputs, inventory_files, root_inputs, token_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.config.options import KubernetesOptions, StackOptions
    from infra.plan import StackPlan
    from infra.targets.kubernetes.objects import Manifest

PROTECTED_KINDS = ("Namespace", "PersistentVolumeClaim", "StatefulSet")
"""Kinds that hold data, or whose deletion deletes everything in them."""
ROLE_CERTIFICATES = {"broker": "broker", "ingest": "motcua-ingest-1", "rollup": "motcua-rollup"}


class Cluster(MotcuaComponent):
    """Every object of the stack in one cluster."""

    type_key = "cluster"

    def __init__(
        self, stage: str, options: KubernetesOptions, values: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:  # fmt: skip
        super().__init__("cluster", stage, opts)
        self._provider = make_provider("kubernetes", options, pulumi.ResourceOptions(parent=self))
        self._values = SecretValues(values)
        self._namespace: list[pulumi.Resource] = []
        self._needed: list[pulumi.Resource] = []
        self._running: dict[str, pulumi.Resource] = {}
        """The workload of each component."""

    def create(
        self, objects: Sequence[Manifest], calls: Mapping[str, Sequence[str]], after: Sequence[pulumi.Resource] = ()
    ) -> None:
        """Create or change objects after the resources `after`, the namespace first.

        Instances start after all that has been created for instances and after what their component calls.
        """
        self._values.note(objects)
        steps = roll_out(objects, calls)
        for manifest in steps.needed:
            resource = self._create_resource(manifest, after)
            self._needed.append(resource)
            if manifest["kind"] == "Namespace":
                self._namespace.append(resource)
        for manifest in steps.workloads:
            component = component_of(manifest)
            callees = [self._running[name] for name in calls.get(component, ()) if name in self._running]
            self._running[component] = self._create_resource(manifest, [*self._needed, *callees, *after])
        for manifest in steps.last:
            self._create_resource(manifest, [*self._running.values(), *after])

    def _create_resource(self, manifest: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.CustomResource:
        name = f"{manifest['kind'].lower()}-{manifest['metadata']['name']}"
        child_options = self.child_options(
            protect=manifest["kind"] in PROTECTED_KINDS, after=[*self._namespace, *after]
        )
        own_options = pulumi.ResourceOptions(
            provider=self._provider, ignore_changes=IMMUTABLE_FIELDS.get(manifest["kind"])
        )
        opts = pulumi.ResourceOptions.merge(child_options, own_options)
        return register_object(without_waiting(self._values.fill(manifest)), name, opts)


def deploy_cluster(
    plan: StackPlan,
    options: StackOptions,
    secrets: Mapping[str, pulumi.Input[str]],
    inventory_files: Mapping[str, str],
    opts: pulumi.ResourceOptions | None = None,
    after: Sequence[pulumi.Resource] = (),
) -> dict[str, pulumi.Input[object]]:
    """Create or change the base, and the roles once InfluxDB is reachable; returns the cluster's outputs.

    The roles wait for the resources `after`, so that they keep running when InfluxDB refuses address or token.
    Raises ConfigError naming every secret that is missing.
    """
    spec = ClusterSpec(plan, options, inventory_files)
    reachable = options.kubernetes.influx_reachable
    base, roles = base_manifests(spec), stack_role_manifests(spec) if reachable else ()
    values = complete_secrets(secrets, required_secrets((*base, *roles)))
    cluster = Cluster(plan.stage, options.kubernetes, values, opts)
    calls = calls_of(plan.flows)
    cluster.create(base, calls)
    cluster.create(roles, calls, after)
    exported = {"namespace": options.kubernetes.namespace, **cluster_outputs(spec)}
    cluster.register_outputs({})
    return exported


def cluster_outputs(spec: ClusterSpec) -> dict[str, pulumi.Input[object]]:
    """Return addresses for operators, and the next step of a first roll-out."""
    options = spec.options
    reachable = options.kubernetes.influx_reachable
    namespace = spec.placement.namespace_of("influxdb")
    address = "influx.url: https://localhost:8086, " if serves_tls(spec, "influxdb") else ""
    forward = f"kubectl -n {namespace} port-forward service/influxdb 8086"
    step = f"{forward}, {address}kubernetes.influxReachable: true, pulumi up"
    return {
        "apiUrl": f"https://{options.kubernetes.api_host}/",
        "brokerAddress": f"mqtts://{options.broker.host}:{options.broker.port}",
        "brokerForServices": f"mqtts://{broker_service_host(spec)}:{SERVICES_PORT}",
        "next": "" if reachable else step,
    }


def deploy_stack(
    plan: StackPlan, options: StackOptions, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> StackOutputs:
    """Create or change everything; returns the outputs. Raises ConfigError naming every secret that is missing."""
    check_cluster_options(options)
    parent_options = pulumi.ResourceOptions(parent=Province(plan.province, plan.stage))
    made = make_stack_secrets(plan, options, root, secrets, parent_options)
    files = inventory_files(root, options)
    cluster_outputs = deploy_cluster(plan, options, made.values, files, parent_options, made.after)
    return {**made.outputs, **cluster_outputs}


@dataclass(frozen=True, slots=True)
class StackSecrets:
    """What a stack makes of its own: values by name, the outputs, and resources that what reads tokens comes after."""

    values: Mapping[str, pulumi.Input[str]]
    outputs: StackOutputs
    after: Sequence[pulumi.Resource] = ()


def make_stack_secrets(
    plan: StackPlan,
    options: StackOptions,
    root: Path,
    secrets: Mapping[str, pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
) -> StackSecrets:
    """Create or change authorities and certificates, and InfluxDB's buckets and tokens once it is reachable."""
    pki = Certificates(plan.pki, plan.stage, root_inputs(options, root, secrets), opts)
    values: dict[str, pulumi.Input[str]] = {**secrets, "caBundle": pki.ca_bundle, "crl": pki.crl_bundle}
    for name, certificate in ROLE_CERTIFICATES.items():
        values[f"{name}Certificate"] = pki.certificates_by_name[certificate].output("certificate")
        values[f"{name}Key"] = pki.certificates_by_name[certificate].output("key")
    outputs = common_outputs(plan, options, pki)
    if not options.kubernetes.influx_reachable:
        return StackSecrets(values, outputs)
    store = Database(resource_specs(plan, options), plan.stage, secrets, plan.influx.url, opts)
    tokens = token_outputs(plan, store)
    values |= tokens  # type: ignore[arg-type]
    return StackSecrets(values, {**outputs, **tokens}, (store.instance,))
