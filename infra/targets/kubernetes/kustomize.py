"""The objects as YAML files for `kubectl apply --server-side -k`, and a page of the Secrets to create. Pure.

Secrets are not among the files: their values must not be written to disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.manifests import all_manifests
from infra.targets.kubernetes.objects import API_TLS_SECRET, RECEIVER_SECRET, WEBHOOK_KEY, SecretValue
from infra.templates import render_template, render_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.targets.kubernetes.objects import Manifest

HEADER_PREFIX = "# Written by `motcua render --target kubernetes` from inventory "
SECRETS_FILE = "SECRETS.md"

_VALUE_DESCRIPTIONS = {
    "influxToken": "InfluxDB's operator token: 64 hex digits of your choice (`openssl rand -hex 32`)",
    "influxPassword": "the first user's password (`openssl rand -hex 16`)",
    "ingestToken": "ingest's token, made in InfluxDB",
    "rollupToken": "rollup's token, made in InfluxDB",
    "apiToken": "the API's token, made in InfluxDB",
    "caBundle": "every authority that is trusted, PEM",
    "crl": "their revocation lists, PEM",
    "brokerCertificate": "the broker's certificate with its chain, PEM",
    "brokerKey": "its key, PEM",
    "ingestCertificate": "the certificate of motcua-ingest-1, PEM",
    "ingestKey": "its key, PEM",
    "rollupCertificate": "the certificate of motcua-rollup, PEM",
    "rollupKey": "its key, PEM",
    "grafanaPassword": "the password of Grafana's user admin (`openssl rand -hex 16`)",
}


def kustomize_files(plan: StackPlan, options: StackOptions, inventory_files: Mapping[str, str]) -> dict[str, str]:
    """Return {name: text}: one object per file, in order of creation, a kustomization, `SECRETS.md`."""
    objects = all_manifests(plan, options, inventory_files)
    head = f"{HEADER_PREFIX}{plan.inventory_version}.\n"
    plain = [manifest for manifest in objects if manifest["kind"] != "Secret"]
    named_files = {_file_name(number, manifest): head + render_yaml(manifest) for number, manifest in enumerate(plain)}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(named_files),
    }
    page = stack_secrets_page(objects, options.kubernetes.namespace)
    return {
        **named_files,
        "kustomization.yaml": head + render_yaml(kustomization),
        SECRETS_FILE: f"<!-- {head.strip()} -->\n\n{page}",
    }


def _file_name(number: int, manifest: Manifest) -> str:
    return f"{number:03}-{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def stack_secrets_page(objects: Iterable[Manifest], namespace: str) -> str:
    """Return the page of a stack of its own, which has the certificate for browsers from its operator."""
    return secrets_page(objects, [f"000-namespace-{namespace}.yaml"], namespace, tls=API_TLS_SECRET)


def secrets_page(objects: Iterable[Manifest], first: Sequence[str], monitoring: str, *, tls: str = "") -> str:
    """Return the page that lists every Secret with its keys and the command that creates it.

    `first` are the files of namespaces, `monitoring` the namespace of Alertmanager, `tls` the Secret with the
    certificate for browsers if the operator brings it.
    """
    secrets = [
        {
            "namespace": manifest["metadata"]["namespace"],
            "name": manifest["metadata"]["name"],
            "keys": {
                key: _VALUE_DESCRIPTIONS[value.name] if isinstance(value, SecretValue) else ""
                for key, value in manifest["stringData"].items()
            },
        }
        for manifest in objects
        if manifest["kind"] == "Secret"
    ]
    return render_template(
        "SECRETS.md.j2",
        secrets=secrets, first=first, monitoring=monitoring, tls=tls, receiver=RECEIVER_SECRET, webhook=WEBHOOK_KEY,
    )  # fmt: skip
