"""Joins settings to concrete parts: the one place in telemetry that names an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from telemetry.store import Store

SQLITE = "sqlite:///"


def open_store(url: str, token: str = "") -> Store:
    """Open the store a URL names. Raises ConfigError, StoreUnavailable, StoreTooNew."""
    del token
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return SqliteStore(Path(url.removeprefix(SQLITE)))
    remedy = "this version knows sqlite:///PATH; InfluxDB comes with the production data plane"
    raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", f"cannot open {url!r}", remedy)])
