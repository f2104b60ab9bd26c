"""Parses settings from mappings (a TOML file wins over the environment); it must not read files itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.mqtt.address import BrokerAddress, parse_broker_url
from telemetry.url_credentials import hide_credentials

_AROUND_A_VALUE = " \t\r\n\ufeff\0"
"""What a secret's file leaves around a value: line ends, a byte order mark."""

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_STORE = "sqlite:///motcua-data/store.db"
DEFAULT_MQTT = "mqtt://127.0.0.1:1883"
DEFAULT_LISTEN = "127.0.0.1:8080"
DEFAULT_MAX_EVENT_AGE_DAYS = 400
SQLITE_PREFIX = "sqlite:///"
INFLUX_PREFIXES = ("influxdb+http://", "influxdb+https://")
DAYS_REMEDY = "write whole days, 1 to 99999"
STORE_REMEDY = "write sqlite:///PATH or influxdb+http://HOST:PORT?org=O&bucket=B"
SETTING_NAMES = (
    "MOTCUA_INVENTORY", "MOTCUA_STORE", "MOTCUA_STORE_TOKEN", "MOTCUA_MQTT", "MOTCUA_MQTT_CA", "MOTCUA_MQTT_CERT",
    "MOTCUA_MQTT_KEY", "MOTCUA_STATE", "MOTCUA_API_LISTEN", "MOTCUA_LOG", "MOTCUA_ALERTMANAGER",
    "MOTCUA_ALERTMANAGER_CA", "MOTCUA_MAX_EVENT_AGE_DAYS", "MOTCUA_OPERATORS",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of every server role; `inventory` None means the sample in the package."""

    inventory: Path | None
    store: str
    mqtt: BrokerAddress
    listen: tuple[str, int]
    state: Path
    log: str
    store_token: str = field(default="", repr=False)
    alertmanager: str = field(default="", repr=False)
    """Alertmanager's address, which may contain a password; empty: alerts are evaluated and shown, but not sent."""
    alertmanager_ca: str = ""
    """A file of the authorities that sign Alertmanager's certificate; empty: the public ones."""
    max_event_age_days: int = DEFAULT_MAX_EVENT_AGE_DAYS
    """How old a device's event may be when ingest receives it, days."""
    operators: Path | None = None
    """The file of those who may acknowledge and silence alerts on the pages; None: nobody may."""


def _optional_path(values: Mapping[str, str], name: str) -> Path | None:
    return Path(values[name]) if values.get(name) else None


def _is_number_of_days(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0


def _unknown_settings(names: Iterable[str], file: str) -> list[Fault]:
    remedy = f"one of {', '.join(SETTING_NAMES)}"
    return [
        Fault(file, 0, str(name), "no such setting", remedy) for name in names if str(name).upper() not in SETTING_NAMES
    ]


def load_settings(
    environ: Mapping[str, str], file_values: Mapping[str, object] | None = None, source: str = ""
) -> ServerSettings:
    """Return the settings; `file_values` (of the TOML file `source`) win. Raises ConfigError with all faults."""
    overrides = file_values or {}
    file = source or "settings"
    faults = _unknown_settings(overrides, file)
    values = {name: str(environ[name]) for name in SETTING_NAMES if environ.get(name)}
    values |= {str(k).upper(): str(v) for k, v in overrides.items()}
    values = {name: bare for name, value in values.items() if (bare := value.strip(_AROUND_A_VALUE))}
    listen, broker = ("127.0.0.1", 0), BrokerAddress()
    try:
        listen = parse_listen_address(values.get("MOTCUA_API_LISTEN", DEFAULT_LISTEN))
    except ConfigError as error:
        faults += error.faults
    try:
        tls_files = (values.get(f"MOTCUA_MQTT_{name}", "") for name in ("CA", "CERT", "KEY"))
        broker = parse_broker_url(values.get("MOTCUA_MQTT", DEFAULT_MQTT), *tls_files)
    except ConfigError as error:
        faults += error.faults
    store = values.get("MOTCUA_STORE", DEFAULT_STORE)
    if not store.startswith((SQLITE_PREFIX, *INFLUX_PREFIXES)):
        faults.append(Fault(file, 0, "MOTCUA_STORE", f"not a store: {hide_credentials(store)!r}", STORE_REMEDY))
    alertmanager = values.get("MOTCUA_ALERTMANAGER", "").rstrip("/")
    if alertmanager and not alertmanager.startswith(("http://", "https://")):
        remedy = "write http://HOST:PORT, or leave it out"
        faults.append(Fault(file, 0, "MOTCUA_ALERTMANAGER", "not an http address", remedy))
    max_age = values.get("MOTCUA_MAX_EVENT_AGE_DAYS", str(DEFAULT_MAX_EVENT_AGE_DAYS))
    if not _is_number_of_days(max_age):
        faults.append(Fault(file, 0, "MOTCUA_MAX_EVENT_AGE_DAYS", f"not a number of days: {max_age!r}", DAYS_REMEDY))
    if faults:
        raise ConfigError(faults)
    # The default state file is beside the store's file, so that two stores never share one.
    store_file = Path((store if store.startswith(SQLITE_PREFIX) else DEFAULT_STORE).removeprefix(SQLITE_PREFIX))
    return ServerSettings(
        inventory=_optional_path(values, "MOTCUA_INVENTORY"),
        store=store,
        mqtt=broker,
        listen=listen,
        state=Path(values["MOTCUA_STATE"]) if "MOTCUA_STATE" in values else store_file.with_name("state.db"),
        log=values.get("MOTCUA_LOG", "info"),
        store_token=values.get("MOTCUA_STORE_TOKEN", ""),
        alertmanager=alertmanager,
        alertmanager_ca=values.get("MOTCUA_ALERTMANAGER_CA", ""),
        max_event_age_days=int(max_age),
        operators=_optional_path(values, "MOTCUA_OPERATORS"),
    )


def parse_listen_address(text: str, name: str = "MOTCUA_API_LISTEN") -> tuple[str, int]:
    """Return host and port of HOST:PORT; `name` is the setting's. Raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError([Fault("settings", 0, name, f"not HOST:PORT: {text!r}", "write e.g. 127.0.0.1:8080")])
    return host.strip("[]"), int(port)
