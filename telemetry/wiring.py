"""Joins settings to concrete parts: the one place in telemetry that names an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from telemetry.store import Store

SQLITE_PREFIX = "sqlite:///"
INFLUX_PREFIXES = ("influxdb+http://", "influxdb+https://")


def open_store(url: str, token: str = "") -> Store:
    """Open the store a URL names; `token` is InfluxDB's. Raises ConfigError, StoreUnavailable, StoreTooNew."""
    if url.startswith(SQLITE_PREFIX) and len(url) > len(SQLITE_PREFIX):
        return SqliteStore(Path(url.removeprefix(SQLITE_PREFIX)))
    if url.startswith(INFLUX_PREFIXES):
        return _open_influx(url, token)
    remedy = "write sqlite:///PATH or influxdb+http://HOST:PORT?org=O&bucket=B"
    raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", f"cannot open {url!r}", remedy)])


def _open_influx(url: str, token: str) -> Store:
    """Import the client only where it is used: it takes a third of a second."""
    from telemetry.store import influx  # noqa: PLC0415

    return influx.InfluxStore(influx.parse(url), token)
