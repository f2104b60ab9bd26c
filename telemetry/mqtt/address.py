"""The broker's address, parsed from a URL. It must not open a connection."""

from __future__ import annotations

from dataclasses import dataclass, field

from telemetry.errors import ConfigError, Fault
from telemetry.url_credentials import ENCODING_REMEDY, BadUrl, UrlParts, hide_credentials, split_url

MAX_CREDENTIAL_BYTES = 65_535
"""The longest user name or password that MQTT can carry."""
_REMEDY = "write mqtt://HOST:PORT or mqtts://HOST:PORT"


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
    """Parse `mqtt://[user:password@]HOST[:PORT]` or `mqtts://…`, user and password percent-encoded.

    Raises ConfigError; its message shows neither.
    """
    try:
        parts = split_url(url)
        _check_parts(parts)
    except BadUrl as error:
        problem = f"not an MQTT address: {hide_credentials(url)!r} ({error.problem})"
        raise ConfigError([Fault("settings", 0, "MOTCUA_MQTT", problem, error.remedy or _REMEDY)]) from None
    tls = parts.scheme == "mqtts"
    port = parts.port or (8883 if tls else 1883)
    return BrokerAddress(parts.host, port, tls, ca, cert, key, parts.username, parts.password)


def _check_parts(parts: UrlParts) -> None:
    """Check what MQTT requires. Raises BadUrl."""
    if parts.scheme not in {"mqtt", "mqtts"} or parts.rest not in {"", "/"}:
        raise BadUrl("another scheme, or more than HOST and port", ENCODING_REMEDY if "@" in parts.rest else _REMEDY)
    for name, text in (("user name", parts.username), ("password", parts.password)):
        if "\0" in text or len(text.encode()) > MAX_CREDENTIAL_BYTES:
            raise BadUrl(f"the {name} holds NUL or is over {MAX_CREDENTIAL_BYTES} bytes", "choose another")
