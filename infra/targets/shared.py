"""What the Pulumi targets share: root certificate, outputs, inventory files. It must not create resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.input_check import root_certificate
from infra.plan.influx import store_url
from telemetry.inventory.files import bundle_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pulumi

    from infra.components.certificates import Certificates
    from infra.components.database import Database
    from infra.config.options import StackOptions
    from infra.plan import StackPlan

TOKEN_OUTPUT_ROLES = ("ingest", "rollup", "api")
StackOutputs = dict[str, "pulumi.Input[object]"]


def root_inputs(
    options: StackOptions, root: Path, secrets: Mapping[str, pulumi.Input[str]]
) -> dict[str, pulumi.Input[str]]:
    """Return the province's own root, from its file or from the option itself; empty when there is none."""
    text = root_certificate(options, root)
    key = {"root_key": secrets["rootKey"]} if "rootKey" in secrets else {}
    return {"root_certificate": text, **key} if text else {}


def inventory_files(root: Path, options: StackOptions) -> dict[str, str]:
    """Return the inventory's files, path in it → text, for machines that get a copy. Raises InventoryError."""
    return bundle_files(root / options.inventory)


def current_token(plan: StackPlan, role: str) -> str:
    """Return the name of a role's newest token."""
    return next(token.name for token in plan.influx.tokens if token.role == role)


def common_outputs(plan: StackPlan, options: StackOptions, pki: Certificates) -> StackOutputs:
    """Return the outputs that every target has for operators and other stacks; the key is secret."""
    return {
        "inventoryVersion": plan.inventory_version,
        "storeUrl": store_url(plan),
        "brokerUrl": f"mqtts://{options.broker.host}:{options.broker.port}",
        "caCertificate": pki.newest_authority.output("certificate"),
        "caChain": pki.newest_authority.output("chain"),
        "caBundle": pki.ca_bundle,
        "caKey": pki.newest_authority.output("key"),
        "crl": pki.crl_bundle,
        "certificates": [
            {
                "name": certificate.name,
                "generation": certificate.generation,
                "notAfter": certificate.not_after.isoformat(),
            }
            for certificate in plan.all_certificates
        ],
    }


def token_outputs(plan: StackPlan, store: Database) -> StackOutputs:
    """Return the roles' tokens as secrets."""
    return {f"{role}Token": store.token(current_token(plan, role)) for role in TOKEN_OUTPUT_ROLES}
