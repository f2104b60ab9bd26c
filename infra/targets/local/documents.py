"""Renders the files of the target `local`: the broker's configuration, the roles' settings. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from infra.host import mosquitto
from infra.plan.broker import worker_names
from infra.plan.influx import store_url

if TYPE_CHECKING:
    from infra.config.options import StackOptions
    from infra.plan import StackPlan


def broker_files(plan: StackPlan, options: StackOptions, folder: str, user: str) -> dict[str, str]:
    """Return {path below `folder`: text} of mosquitto's configuration; the stack creates the certificates."""
    tls = mosquitto.TlsFiles.in_folder(folder)
    limits = mosquitto.MosquittoLimits(connections=plan.broker.connections)
    listener = plan.broker.listeners[0]
    broker = mosquitto.MosquittoSettings(f"{folder}/kept", user, listener.port, listener.bind, limits)
    text = mosquitto.render_configuration(broker, tls, f"{folder}/acl")
    return {
        "mosquitto.conf": f"{text}\npid_file {folder}/mosquitto.pid\n",
        "acl": mosquitto.render_acl_file(worker_names(options.workers)),
        "kept/README": "mosquitto stores its sessions and retained states here.\n",
    }


def role_settings(plan: StackPlan, options: StackOptions, inventory: str, folder: str) -> str:
    """Return the settings that ingest, rollup and API share, without secrets.

    Rollup's state file is outside `folder`, which must be empty when the stack is destroyed.
    """
    return "".join(
        f"{name}={value}\n"
        for name, value in {
            "MOTCUA_INVENTORY": inventory,
            "MOTCUA_STORE": store_url(plan),
            "MOTCUA_MQTT": f"mqtts://{options.broker.host}:{options.broker.port}",
            "MOTCUA_MQTT_CA": f"{folder}/tls/ca.pem",
            "MOTCUA_STATE": f"{PurePosixPath(folder).parent / 'state.db'}",
            "MOTCUA_API_LISTEN": options.local.api_listen,
        }.items()
    )


def metrics_settings(options: StackOptions, worker: str) -> str:
    """Return an ingest worker's setting of its health and metrics; worker 2 listens one port above worker 1."""
    host, _, port = options.local.ingest_metrics.rpartition(":")
    return f"MOTCUA_INGEST_METRICS={host}:{int(port) + int(worker) - 1}\n" if port else ""


def certificate_settings(folder: str, name: str) -> str:
    """Return a role's settings that name its certificate."""
    return f"MOTCUA_MQTT_CERT={folder}/tls/{name}.pem\nMOTCUA_MQTT_KEY={folder}/tls/{name}.key\n"
