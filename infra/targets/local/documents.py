"""The text of the files that the target `local` writes: the broker's configuration, the roles' settings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host import mosquitto
from infra.plan.broker import workers
from infra.targets.addresses import store_url

if TYPE_CHECKING:
    from infra.options import Options
    from infra.plan import Plan

_DYNSEC = """# Who may do what: mosquitto's dynamic security, in a folder that mosquitto may write to.
plugin {plugin}
plugin_opt_config_file {folder}/dynamic-security.json
"""
_ADMIN = """
# For the administrator of dynamic security: this machine only, with its password.
listener {port} 127.0.0.1
"""


def broker_files(plan: Plan, options: Options, folder: str, user: str) -> dict[str, str]:
    """Return {path below `folder`: text} of mosquitto's configuration; certificates come from the stack."""
    names = ("ca.pem", "server.pem", "server.key", "crl.pem")
    tls = mosquitto.Tls(*(f"{folder}/{name}" for name in names))
    limits = mosquitto.Limits(connections=plan.broker.connections)
    listener = plan.broker.listeners[0]
    broker = mosquitto.Broker(f"{folder}/kept", user, listener.port, listener.bind, limits)
    text = mosquitto.configuration(broker, tls, f"{folder}/acl") + f"\npid_file {folder}/mosquitto.pid\n"
    if options.broker.form == "files":
        return {"mosquitto.conf": text, "acl": mosquitto.access(workers(options.workers)), "kept/README": _KEPT}
    text = text.replace(f"acl_file {folder}/acl\n", _DYNSEC.format(plugin=options.broker.plugin, folder=folder))
    port = int(options.broker.url.rpartition(":")[2].rstrip("/") or 1883)
    return {"mosquitto.conf": text + _ADMIN.format(port=port), "kept/README": _KEPT}


_KEPT = "mosquitto keeps its sessions and retained states here.\n"


def settings(plan: Plan, options: Options, inventory: str, folder: str) -> str:
    """Return the settings that ingest, rollup and API share; no secret among them."""
    return "".join(
        f"{name}={value}\n"
        for name, value in {
            "MOTCUA_INVENTORY": inventory,
            "MOTCUA_STORE": store_url(plan),
            "MOTCUA_MQTT": f"mqtts://{options.broker.host}:{options.broker.port}",
            "MOTCUA_MQTT_CA": f"{folder}/tls/ca.pem",
            "MOTCUA_STATE": f"{folder}/state.db",
            "MOTCUA_API_LISTEN": options.local.api_listen,
        }.items()
    )


def identity(folder: str, name: str) -> str:
    """Return a role's settings that name its certificate."""
    return f"MOTCUA_MQTT_CERT={folder}/tls/{name}.pem\nMOTCUA_MQTT_KEY={folder}/tls/{name}.key\n"
