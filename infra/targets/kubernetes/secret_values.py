"""Values of secrets for objects of Pulumi: in place of their placeholders, and as digests that replace pods.

It must not decide which secrets there are, and shows none.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
from typing import TYPE_CHECKING

import pulumi

from infra.targets.kubernetes.objects import BROKER_TLS, SecretValue, sha256_of
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.targets.kubernetes.objects import Manifest

RESTARTED_KINDS = ("Deployment", "StatefulSet")
RESTARTING_SECRETS = ("api", "ingest", "rollup", BROKER_TLS)
"""Secrets that a process reads at its start only; all of their values are keys, certificates and tokens."""
SECRETS_ANNOTATION = "motcua.org/secrets"
DERIVED_SECRETS = ("grafanaPassword",)
"""Secrets that are derived from the operator token when the stack has none: they change only with it."""


class SecretValues:
    """The values of the Secrets among some objects, by the names of their placeholders."""

    def __init__(self, values: Mapping[str, pulumi.Input[str]]) -> None:
        self._values = values
        self._secrets: dict[tuple[str, str], Mapping[str, SecretValue]] = {}

    def note(self, objects: Iterable[Manifest]) -> None:
        """Remember the Secrets among objects, before the workloads that read them are filled."""
        self._secrets |= {_place(one): one["stringData"] for one in objects if has_placeholders(one)}

    def fill(self, manifest: Manifest) -> Manifest:
        """Return an object with the values of its placeholders, or a digest of the secrets that its pods read."""
        if has_placeholders(manifest):
            values = {key: self._secret_value(value) for key, value in manifest["stringData"].items()}
            return {**manifest, "stringData": values}
        return self._with_digest(manifest) if manifest["kind"] in RESTARTED_KINDS else dict(manifest)

    def _with_digest(self, manifest: Manifest) -> Manifest:
        """Return a workload with a digest of its secrets: its pods are replaced when one of them changes."""
        namespace = manifest["metadata"]["namespace"]
        places = [(namespace, name) for name in referenced_secrets(manifest) if name in RESTARTING_SECRETS]
        placeholders = [
            value for place in places if place in self._secrets for _, value in sorted(self._secrets[place].items())
        ]
        if not placeholders:
            return dict(manifest)
        values = [self._values[placeholder.name] for placeholder in placeholders]
        digest = pulumi.Output.all(*values).apply(lambda texts: sha256_of(*texts)[:16])
        # The values are keys and tokens, which no digest reveals; as a secret it would hide the pods' changes.
        annotations = {SECRETS_ANNOTATION: pulumi.Output.unsecret(digest)}
        changed = copy.deepcopy(manifest)
        changed["spec"]["template"]["metadata"].setdefault("annotations", {}).update(annotations)
        return changed

    def _secret_value(self, placeholder: SecretValue) -> pulumi.Output[str]:
        return pulumi.Output.secret(self._values[placeholder.name])


def has_placeholders(manifest: Mapping[str, object]) -> bool:
    """Return whether an object is a Secret whose values are the stack's."""
    values = manifest.get("stringData")
    return isinstance(values, dict) and any(isinstance(value, SecretValue) for value in values.values())


def _place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def referenced_secrets(manifest: Manifest) -> list[str]:
    """Return the names of the Secrets that a workload's pods use, sorted."""
    pod = manifest["spec"]["template"]["spec"]
    mounted = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    variables = [entry for container in pod["containers"] for entry in container.get("env", ())]
    references = [entry["valueFrom"].get("secretKeyRef") for entry in variables if "valueFrom" in entry]
    return sorted({*mounted, *(reference["name"] for reference in references if reference)})


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
