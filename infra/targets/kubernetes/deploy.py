"""Deploys authorities, the cluster's objects and InfluxDB's tokens by Pulumi. It must not decide what they contain.

The first run creates the base. InfluxDB creates the tokens: the roles follow in the run in which it is reachable
(`kubernetes.influxReachable`).
"""

from __future__ import annotations

import copy
import hashlib
import hmac
from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s

from infra.components.certificates import Certificates
from infra.components.component import MotcuaComponent, Province
from infra.components.database import Database
from infra.resource_specs import resource_specs
from infra.targets.kubernetes.manifests import (
    base_manifests,
    check_cluster_options,
    required_secrets,
    role_manifests,
)
from infra.targets.kubernetes.objects import (
    BROKER_TLS,
    SERVICES_PORT,
    ClusterSpec,
    SecretValue,
    broker_service_host,
    sha256_of,
)
from infra.targets.kubernetes.resources import register_object
from infra.targets.shared import StackOutputs, common_outputs, inventory_files, root_inputs, token_outputs
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.targets.kubernetes.objects import Manifest

PROTECTED_KINDS = ("Namespace", "PersistentVolumeClaim", "StatefulSet")
"""Kinds that hold data, or whose deletion deletes everything in them."""
IMMUTABLE_FIELDS = {"StatefulSet": ["spec.volumeClaimTemplates"], "PersistentVolumeClaim": ["spec.resources"]}
"""Fields that Kubernetes refuses to change: `kubectl patch pvc` grows a volume when the plan's has grown."""
RESTARTED_KINDS = ("Deployment", "StatefulSet")
RESTARTING_SECRETS = ("api", "ingest", "rollup", BROKER_TLS)
"""Secrets that a process reads at its start only; all of their values are keys, certificates and tokens."""
SECRETS_ANNOTATION = "motcua.org/secrets"
DERIVED_SECRETS = ("grafanaPassword",)
"""Secrets that are derived from the operator token when the stack has none: they change only with it."""
ROLE_CERTIFICATES = {"broker": "broker", "ingest": "motcua-ingest-1", "rollup": "motcua-rollup"}


class Cluster(MotcuaComponent):
    """Every object of the stack in one cluster."""

    type_key = "cluster"

    def __init__(
        self, stage: str, context: str, values: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:  # fmt: skip
        super().__init__("cluster", stage, opts)
        # By default the provider replaces a ConfigMap or Secret for every edit: pods would miss it in between.
        self._provider = k8s.Provider(
            "kubernetes",
            context=context or None,
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._values = values
        self._namespace: list[pulumi.Resource] = []
        self._secrets: dict[str, Mapping[str, SecretValue]] = {}
        self.resources: dict[str, pulumi.CustomResource] = {}

    def create(self, objects: Sequence[Manifest], after: Sequence[pulumi.Resource] = ()) -> None:
        """Create or change objects, the namespace first, all of them after the resources `after`."""
        self._secrets |= {one["metadata"]["name"]: one["stringData"] for one in objects if one["kind"] == "Secret"}
        for manifest in objects:
            kind, name = manifest["kind"], manifest["metadata"]["name"]
            resource = self._create_resource(manifest, f"{kind.lower()}-{name}", after)
            self.resources[f"{kind}/{name}"] = resource
            if kind == "Namespace":
                self._namespace.append(resource)

    def _create_resource(
        self, manifest: Manifest, name: str, after: Sequence[pulumi.Resource]
    ) -> pulumi.CustomResource:
        fields = self._with_secrets_digest(manifest) if manifest["kind"] in RESTARTED_KINDS else dict(manifest)
        if "stringData" in fields:
            fields["stringData"] = {key: self._secret_value(value) for key, value in fields["stringData"].items()}
        child_options = self.child_options(
            protect=manifest["kind"] in PROTECTED_KINDS, after=[*self._namespace, *after]
        )
        own_options = pulumi.ResourceOptions(
            provider=self._provider, ignore_changes=IMMUTABLE_FIELDS.get(manifest["kind"])
        )
        opts = pulumi.ResourceOptions.merge(child_options, own_options)
        return register_object(fields, name, opts)

    def _with_secrets_digest(self, manifest: Manifest) -> Manifest:
        """Return a workload with a digest of its secrets: its pods are replaced when one of them changes."""
        names = [name for name in referenced_secrets(manifest) if name in RESTARTING_SECRETS and name in self._secrets]
        if not names:
            return dict(manifest)
        placeholders = [value for name in names for _, value in sorted(self._secrets[name].items())]
        values = [self._values[placeholder.name] for placeholder in placeholders]
        digest = pulumi.Output.all(*values).apply(lambda texts: sha256_of(*texts)[:16])
        # The values are keys and tokens, which no digest reveals; as a secret it would hide the pods' changes.
        annotations = {SECRETS_ANNOTATION: pulumi.Output.unsecret(digest)}
        changed = copy.deepcopy(manifest)
        changed["spec"]["template"]["metadata"].setdefault("annotations", {}).update(annotations)
        return changed

    def _secret_value(self, placeholder: SecretValue) -> pulumi.Output[str]:
        return pulumi.Output.secret(self._values[placeholder.name])


def referenced_secrets(manifest: Manifest) -> list[str]:
    """Return the names of the Secrets that a workload's pods use, sorted."""
    pod = manifest["spec"]["template"]["spec"]
    mounted = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    variables = [entry for container in pod["containers"] for entry in container.get("env", ())]
    references = [entry["valueFrom"].get("secretKeyRef") for entry in variables if "valueFrom" in entry]
    return sorted({*mounted, *(reference["name"] for reference in references if reference)})


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
    base, roles = base_manifests(spec), role_manifests(spec) if reachable else ()
    values = complete_secrets(secrets, required_secrets((*base, *roles)))
    cluster = Cluster(plan.stage, options.kubernetes.context, values, opts)
    cluster.create(base)
    cluster.create(roles, after)
    exported = cluster_outputs(spec)
    cluster.register_outputs({})
    return exported


def complete_secrets(secrets: Mapping[str, pulumi.Input[str]], names: Iterable[str]) -> dict[str, pulumi.Input[str]]:
    """Return every required value, derived where that is allowed. Raises ConfigError naming all that are missing."""
    required = list(names)
    missing = [name for name in required if name not in secrets and name not in DERIVED_SECRETS]
    if missing:
        remedy = "set it with `pulumi config set --secret {}`, or deploy the part of the stack that creates it"
        raise ConfigError([Fault("secrets", 0, name, "is missing", remedy.format(name)) for name in missing])
    return {
        name: secrets[name] if name in secrets else _derive_secret(secrets["influxToken"], name) for name in required
    }


def _derive_secret(token: pulumi.Input[str], name: str) -> pulumi.Output[str]:
    def digest(key: str) -> str:
        return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()

    return pulumi.Output.secret(token).apply(digest)


def cluster_outputs(spec: ClusterSpec) -> dict[str, pulumi.Input[object]]:
    """Return addresses for operators, and the next step of a first roll-out."""
    options = spec.options
    reachable = options.kubernetes.influx_reachable
    step = (
        f"kubectl -n {spec.namespace} port-forward service/influxdb 8086, kubernetes.influxReachable: true, pulumi up"
    )
    return {
        "namespace": spec.namespace,
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
    province = Province(plan.province, plan.stage)
    parent_options = pulumi.ResourceOptions(parent=province)
    pki = Certificates(plan.pki, plan.stage, root_inputs(options, root, secrets), parent_options)
    values: dict[str, pulumi.Input[str]] = {**secrets, "caBundle": pki.ca_bundle, "crl": pki.crl_bundle}
    for name, certificate in ROLE_CERTIFICATES.items():
        values[f"{name}Certificate"] = pki.certificates_by_name[certificate].output("certificate")
        values[f"{name}Key"] = pki.certificates_by_name[certificate].output("key")
    tokens: StackOutputs = {}
    instance: list[pulumi.Resource] = []
    if options.kubernetes.influx_reachable:
        store = Database(resource_specs(plan, options), plan.stage, secrets, plan.influx.url, parent_options)
        tokens, instance = token_outputs(plan, store), [store.instance]
    values |= tokens  # type: ignore[arg-type]
    cluster_outputs = deploy_cluster(plan, options, values, inventory_files(root, options), parent_options, instance)
    return {**common_outputs(plan, options, pki), **tokens, **cluster_outputs}
