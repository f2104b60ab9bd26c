"""Deploys the plan on one machine with running servers. It must not decide what the plan decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components.certificates import Certificates
from infra.components.database import Database
from infra.components.part import Part, Province
from infra.providers.resources import Files
from infra.resource_specs import declared
from infra.targets.local import documents
from infra.targets.shared import Outputs, common_outputs, current_token, root_inputs, token_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config.options import Options
    from infra.plan import Plan


class Machine(Part):
    """The machine's files: the broker's and the roles'."""

    part = "machine"


def deploy(plan: Plan, options: Options, root: Path, secrets: Mapping[str, pulumi.Output[str]]) -> Outputs:
    """Make or change everything; returns the stack's outputs."""
    province = Province(plan.province, plan.stage)
    under = pulumi.ResourceOptions(parent=province)
    store = Database(declared(plan, options), plan.stage, secrets, under)
    pki = Certificates(plan.pki, plan.stage, root_inputs(options, root, secrets), under)
    machine = Machine("machine", plan.stage, under)
    folder = str((root / options.local.folder).resolve())
    broker = [_broker(machine, plan, options, pki, f"{folder}/broker")] if options.broker.managed else []
    _roles(machine, plan, options, (store, pki), (root, f"{folder}/roles"), [*broker])
    return {**common_outputs(plan, options, pki), **token_outputs(plan, store)}


def _broker(machine: Machine, plan: Plan, options: Options, pki: Certificates, folder: str) -> Files:
    server = pki.issued["broker"]
    user = options.local.broker_user
    files = {
        **documents.broker_files(plan, options, folder, user),
        "ca.pem": pki.trust,
        "crl.pem": pki.crl,
        "server.pem": server.output("certificate"),
    }
    inputs: dict[str, pulumi.Input[object]] = {
        "folder": folder,
        "files": files,
        "secret_files": pulumi.Output.secret({"server.key": server.output("key")}),
        "notify": {"pid_file": "mosquitto.pid", "signal": "TERM", "program": "mosquitto"},
    }
    return Files("broker-files", inputs, machine.child())


def _roles(
    machine: Machine,
    plan: Plan,
    options: Options,
    parts: tuple[Database, Certificates],
    where: tuple[Path, str],
    after: list[pulumi.Resource],
) -> Files:
    store, pki = parts
    root, folder = where
    inventory = str((root / options.inventory).resolve())
    clients = [one.name for one in plan.pki.certificates if one.use == "client"]
    files: dict[str, pulumi.Input[str]] = {
        "motcua.env": documents.settings(plan, options, inventory, folder), "tls/ca.pem": pki.trust,
    }  # fmt: skip
    files |= {f"tls/{name}.pem": pki.issued[name].output("certificate") for name in clients}
    hidden: dict[str, pulumi.Input[str]] = {f"tls/{name}.key": pki.issued[name].output("key") for name in clients}
    hidden |= {
        f"{name.removeprefix('motcua-')}.env": _env(plan, store, folder, name) for name in (*clients, "motcua-api")
    }
    inputs: dict[str, pulumi.Input[object]] = {
        "folder": folder, "files": files, "secret_files": pulumi.Output.secret(hidden),
    }  # fmt: skip
    return Files("role-files", inputs, machine.child(after=after))


def _env(plan: Plan, store: Database, folder: str, name: str) -> pulumi.Output[str]:
    """Return a role's own settings: its token, and the certificate it has."""
    role = name.removeprefix("motcua-").partition("-")[0]
    head = "" if role == "api" else documents.identity(folder, name)
    return store.token(current_token(plan, role)).apply(lambda token: f"{head}MOTCUA_STORE_TOKEN={token}\n")
