"""The broker's address, parsed from a URL. It must not open a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from telemetry.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """The broker's host and port, and the credentials to connect with."""

    host: str = "127.0.0.1"
    port: int = 1883
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


def parse_broker_url(url: str, ca: str = "", cert: str = "", key: str = "") -> BrokerAddress:
    """Parse `mqtt://[user:password@]HOST[:PORT]` or `mqtts://…`; raises ConfigError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == -1:
        remedy = "write mqtt://HOST:PORT or mqtts://HOST:PORT"
        raise ConfigError([Fault("settings", 0, "MOTCUA_MQTT", f"not an MQTT address: {url!r}", remedy)])
    tls = parts.scheme == "mqtts"
    credentials = (parts.username or "", parts.password or "")
    return BrokerAddress(parts.hostname, port or (8883 if tls else 1883), tls, ca, cert, key, *credentials)
