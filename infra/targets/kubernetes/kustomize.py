"""The objects as YAML files for `kubectl apply --server-side -k`, and a page that says which Secrets to make. Pure.

Secrets are not among the files: their values are nobody's to write down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from infra.targets.kubernetes.manifests import all_manifests
from infra.targets.kubernetes.names import API_TLS_SECRET, RECEIVER_SECRET, WEBHOOK_KEY
from infra.targets.kubernetes.objects import SecretValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.targets.kubernetes.objects import Manifest

HEADER_PREFIX = "# Written by `motcua render --target kubernetes` from inventory "
SECRETS_FILE = "SECRETS.md"

_SECRETS_PAGE = """# Secrets

The files beside this page hold no secret. Make these after `kubectl apply -f 000-namespace-{namespace}.yaml` and before
`kubectl apply --server-side -k .` (without `--server-side` kubectl writes each object a second time into a note of
256 kB, which an inventory outgrows), from files SECRET/KEY that only you can read and that end without a line break.
`pulumi up` makes all but the last two by itself.

| Secret | key | value |
|---|---|---|
{rows}

{commands}
"""
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
    """Return {name: text}: one object a file, in the order in which they are made, a kustomization, `SECRETS.md`."""
    objects = all_manifests(plan, options, inventory_files)
    head = f"{HEADER_PREFIX}{plan.inventory_version}.\n"
    plain = [manifest for manifest in objects if manifest["kind"] != "Secret"]
    named_files = {_file_name(number, manifest): head + to_yaml(manifest) for number, manifest in enumerate(plain)}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(named_files),
    }
    page = secrets_page(objects, options.kubernetes.namespace)
    return {
        **named_files,
        "kustomization.yaml": head + to_yaml(kustomization),
        SECRETS_FILE: f"<!-- {head.strip()} -->\n\n{page}",
    }


def _file_name(number: int, manifest: Manifest) -> str:
    return f"{number:03}-{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def to_yaml(manifest: Manifest) -> str:
    """Return an object as YAML; texts of several lines stay readable."""
    return yaml.dump(manifest, Dumper=_ManifestDumper, sort_keys=False, width=120, allow_unicode=True)


class _ManifestDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:
        """Say that nothing is referred to."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_ManifestDumper.add_representer(str, _represent_text)


def secrets_page(objects: Iterable[Manifest], namespace: str) -> str:
    """Return the page that lists every Secret with its keys and the command that makes it."""
    secret_manifests = [manifest for manifest in objects if manifest["kind"] == "Secret"]
    rows = [
        f"| `{manifest['metadata']['name']}` | `{key}` | {_value_description(value)} |"
        for manifest in secret_manifests
        for key, value in manifest["stringData"].items()
    ]
    rows.append(
        f"| `{API_TLS_SECRET}` | `tls.crt`, `tls.key` | the API's certificate for browsers, or cert-manager's |"
    )
    rows.append(
        f"| `{RECEIVER_SECRET}` | `{WEBHOOK_KEY}` | the https address that alerts are posted to (may be left out) |"
    )
    commands = [_create_secret_command(manifest, namespace) for manifest in secret_manifests]
    commands.append(f"kubectl -n {namespace} create secret tls {API_TLS_SECRET} --cert=tls.crt --key=tls.key")
    commands.append(
        f"kubectl -n {namespace} create secret generic {RECEIVER_SECRET} "
        f"--from-file={WEBHOOK_KEY}={RECEIVER_SECRET}/{WEBHOOK_KEY}"
    )
    command_block = "```sh\n" + "\n".join(commands) + "\n```"
    return _SECRETS_PAGE.format(namespace=namespace, rows="\n".join(rows), commands=command_block)


def _value_description(value: object) -> str:
    return _VALUE_DESCRIPTIONS[value.name] if isinstance(value, SecretValue) else ""


def _create_secret_command(manifest: Manifest, namespace: str) -> str:
    name = manifest["metadata"]["name"]
    keys = " ".join(f"--from-file={key}={name}/{key}" for key in manifest["stringData"])
    return f"kubectl -n {namespace} create secret generic {name} {keys}"
