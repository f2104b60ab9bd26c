"""Deploys the plan on one machine with running servers. It must not decide what the plan decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components.certificates import Certificates
from infra.components.component import MotcuaComponent, Province
from infra.components.database import Database
from infra.providers.resources import MotcuaResource
from infra.resource_specs import resource_specs
from infra.targets.local import documents
from infra.targets.shared import StackOutputs, common_outputs, current_token, root_inputs, token_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config.options import StackOptions
    from infra.plan import StackPlan


class Machine(MotcuaComponent):
    """The machine's files: the broker's and the roles'."""

    type_key = "machine"


def deploy_machine(
    plan: StackPlan, options: StackOptions, root: Path, secrets: Mapping[str, pulumi.Output[str]]
) -> StackOutputs:
    """Create or change everything; returns the stack's outputs."""
    province = Province(plan.province, plan.stage)
    parent_options = pulumi.ResourceOptions(parent=province)
    store = Database(resource_specs(plan, options), plan.stage, secrets, plan.influx.url, parent_options)
    pki = Certificates(plan.pki, plan.stage, root_inputs(options, root, secrets), parent_options)
    machine = Machine("machine", plan.stage, parent_options)
    folder = str((root / options.local.folder).resolve())
    # Running processes are restarted by their files, so no file is written before InfluxDB has proved who it is.
    first: list[pulumi.Resource] = [store.instance]
    if options.broker.managed:
        first.append(_broker_files_resource(machine, plan, options, pki, f"{folder}/broker", [store.instance]))
    _role_files_resource(machine, plan, options, (store, pki), (root, f"{folder}/roles"), first)
    return {**common_outputs(plan, options, pki), **token_outputs(plan, store)}


def _broker_files_resource(
    machine: Machine, plan: StackPlan, options: StackOptions, pki: Certificates, folder: str,
    after: list[pulumi.Resource],
) -> MotcuaResource:  # fmt: skip
    server = pki.certificates_by_name["broker"]
    user = options.local.broker_user
    files = {
        **documents.broker_files(plan, options, folder, user),
        "ca.pem": pki.ca_bundle,
        "crl.pem": pki.crl_bundle,
        "server.pem": server.output("certificate"),
    }
    inputs: dict[str, pulumi.Input[object]] = {
        "folder": folder,
        "files": files,
        "secret_files": pulumi.Output.secret({"server.key": server.output("key")}),
        "notify": {"pid_file": "mosquitto.pid", "signal": "TERM", "program": "mosquitto"},
    }
    return MotcuaResource("host.files", "broker-files", inputs, machine.child_options(after=after))


def _role_files_resource(
    machine: Machine,
    plan: StackPlan,
    options: StackOptions,
    parts: tuple[Database, Certificates],
    where: tuple[Path, str],
    after: list[pulumi.Resource],
) -> MotcuaResource:
    store, pki = parts
    root, folder = where
    inventory = str((root / options.inventory).resolve())
    clients = [certificate.name for certificate in plan.pki.certificates if certificate.use == "client"]
    files: dict[str, pulumi.Input[str]] = {
        "motcua.env": documents.role_settings(plan, options, inventory, folder), "tls/ca.pem": pki.ca_bundle,
    }  # fmt: skip
    files |= {f"tls/{name}.pem": pki.certificates_by_name[name].output("certificate") for name in clients}
    secret_files: dict[str, pulumi.Input[str]] = {
        f"tls/{name}.key": pki.certificates_by_name[name].output("key") for name in clients
    }
    secret_files |= {
        f"{name.removeprefix('motcua-')}.env": _role_env_file(plan, options, store, folder, name)
        for name in (*clients, "motcua-api")
    }
    inputs: dict[str, pulumi.Input[object]] = {
        "folder": folder, "files": files, "secret_files": pulumi.Output.secret(secret_files),
    }  # fmt: skip
    return MotcuaResource("host.files", "role-files", inputs, machine.child_options(after=after))


def _role_env_file(
    plan: StackPlan, options: StackOptions, store: Database, folder: str, name: str
) -> pulumi.Output[str]:
    """Return a role's own settings: its token and certificate, an ingest worker's address of its health."""
    role, _, worker = name.removeprefix("motcua-").partition("-")
    head = "" if role == "api" else documents.certificate_settings(folder, name)
    head += documents.metrics_settings(options, worker) if role == "ingest" else ""
    return store.token(current_token(plan, role)).apply(lambda token: f"{head}MOTCUA_STORE_TOKEN={token}\n")
