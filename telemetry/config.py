"""Settings from a mapping (the environment, a TOML file over it); all faults at once. It must not read files itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.mqtt.address import BrokerAddress, parse_broker_url

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_STORE = "sqlite:///motcua-data/store.db"
DEFAULT_MQTT = "mqtt://127.0.0.1:1883"
DEFAULT_LISTEN = "127.0.0.1:8080"
SETTING_NAMES = (
    "MOTCUA_INVENTORY", "MOTCUA_STORE", "MOTCUA_STORE_TOKEN", "MOTCUA_MQTT", "MOTCUA_MQTT_CA", "MOTCUA_MQTT_CERT",
    "MOTCUA_MQTT_KEY", "MOTCUA_STATE", "MOTCUA_API_LISTEN", "MOTCUA_LOG", "MOTCUA_ALERTMANAGER",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What every role is told; `inventory` None means the sample that ships."""

    inventory: Path | None
    store: str
    mqtt: BrokerAddress
    listen: tuple[str, int]
    state: Path
    log: str
    store_token: str = field(default="", repr=False)
    alertmanager: str = field(default="", repr=False)
    """Alertmanager's address, which may hold a password; empty: alarms are judged and shown, but sent nowhere."""


def load_settings(
    environ: Mapping[str, str], file_values: Mapping[str, object] | None = None, source: str = ""
) -> ServerSettings:
    """Read settings; `given` (a TOML file's content, `source` its name) wins over the environment."""
    faults = [_unknown_setting(name, source) for name in file_values or {} if str(name).upper() not in SETTING_NAMES]
    values = {name: str(environ[name]) for name in SETTING_NAMES if environ.get(name)}
    values |= {str(k).upper(): str(v) for k, v in (file_values or {}).items()}
    listen = _parse_listen(values.get("MOTCUA_API_LISTEN", DEFAULT_LISTEN), faults)
    broker = BrokerAddress()
    try:
        broker = parse_broker_url(
            values.get("MOTCUA_MQTT", DEFAULT_MQTT), *(values.get(f"MOTCUA_MQTT_{k}", "") for k in _TLS_SETTINGS)
        )
    except ConfigError as error:
        faults += error.faults
    store = values.get("MOTCUA_STORE", DEFAULT_STORE)
    if not store.startswith(("sqlite:///", "influxdb+http://", "influxdb+https://")):
        remedy = "write sqlite:///PATH or influxdb+http://HOST:PORT?org=O&bucket=B"
        faults.append(Fault(source or "settings", 0, "MOTCUA_STORE", f"not a store: {store!r}", remedy))
    alertmanager = values.get("MOTCUA_ALERTMANAGER", "").rstrip("/")
    if alertmanager and not alertmanager.startswith(("http://", "https://")):
        remedy = "write http://HOST:PORT, or leave it out"
        faults.append(Fault(source or "settings", 0, "MOTCUA_ALERTMANAGER", "not an http address", remedy))
    if faults:
        raise ConfigError(faults)
    folder = Path(values["MOTCUA_INVENTORY"]) if "MOTCUA_INVENTORY" in values else None
    state = Path(values["MOTCUA_STATE"]) if "MOTCUA_STATE" in values else _default_state_path(store)
    return ServerSettings(
        folder, store, broker, listen, state, values.get("MOTCUA_LOG", "info"), values.get("MOTCUA_STORE_TOKEN", ""),
        alertmanager,
    )  # fmt: skip


def _default_state_path(store: str) -> Path:
    """Return where state is kept unless said: beside the store's file, so that two stores never share it."""
    path = Path(store.removeprefix("sqlite:///")) if store.startswith("sqlite:///") else Path("motcua-data/store.db")
    return path.with_name("state.db")


_TLS_SETTINGS = ("CA", "CERT", "KEY")


def _unknown_setting(name: object, source: str) -> Fault:
    return Fault(source or "settings", 0, str(name), "no such setting", f"one of {', '.join(SETTING_NAMES)}")


def parse_listen_address(text: str, name: str = "MOTCUA_API_LISTEN") -> tuple[str, int]:
    """Return host and port of HOST:PORT. Raises ConfigError."""
    faults: list[Fault] = []
    listen = _parse_listen(text, faults, name)
    if faults:
        raise ConfigError(faults)
    return listen


def _parse_listen(text: str, faults: list[Fault], name: str = "MOTCUA_API_LISTEN") -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if host and port.isdigit() and 0 <= int(port) <= 65535:
        return host.strip("[]"), int(port)
    faults.append(Fault("settings", 0, name, f"not HOST:PORT: {text!r}", "write e.g. 127.0.0.1:8080"))
    return "127.0.0.1", 0
