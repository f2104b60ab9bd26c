"""What the targets with an engine share: the root to sign with, outputs, files. It must not make resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.addresses import store_url
from telemetry.inventory.carried import carried

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pulumi

    from infra.components.certificates import Certificates
    from infra.components.database import Database
    from infra.config.options import Options
    from infra.plan import Plan

ROLES = ("ingest", "rollup", "api")
Outputs = dict[str, "pulumi.Input[object]"]


def root_inputs(
    options: Options, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> dict[str, pulumi.Input[str]]:
    """Return the province's own root, from its file or as it stands in the stack; nothing when there is none."""
    given = options.pki.root_certificate
    if not given:
        return {}
    text = given if given.startswith("-----BEGIN") else (root / given).read_text(encoding="ascii")
    key = {"root_key": secrets["rootKey"]} if "rootKey" in secrets else {}
    return {"root_certificate": text, **key}


def inventory_files(root: Path, options: Options) -> dict[str, str]:
    """Return the inventory's files by their paths in it, for machines that get a copy. Raises InventoryError."""
    return carried(root / options.inventory)


def current_token(plan: Plan, role: str) -> str:
    """Return the name of a role's newest token."""
    return next(one.name for one in plan.influx.tokens if one.role == role)


def common_outputs(plan: Plan, options: Options, pki: Certificates) -> Outputs:
    """Return what people and other stacks need of every target; the key is secret."""
    return {
        "inventoryVersion": plan.inventory_version,
        "storeUrl": store_url(plan),
        "brokerUrl": f"mqtts://{options.broker.host}:{options.broker.port}",
        "caCertificate": pki.signer.output("certificate"),
        "caChain": pki.signer.output("chain"),
        "caBundle": pki.trust,
        "caKey": pki.signer.output("key"),
        "crl": pki.crl,
        "certificates": [
            {"name": one.name, "generation": one.generation, "notAfter": one.not_after.isoformat()}
            for one in plan.certificates
        ],
    }


def token_outputs(plan: Plan, store: Database) -> Outputs:
    """Return the roles' tokens, secret."""
    return {f"{role}Token": store.token(current_token(plan, role)) for role in ROLES}
