"""Opens the store that settings name; the only module that chooses an adapter, and it must not do more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.config import INFLUX_PREFIXES, SQLITE_PREFIX, STORE_REMEDY
from telemetry.errors import ConfigError, Fault
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from telemetry.store import Store


def open_store(url: str, token: str = "") -> Store:
    """Open the store of a URL; `token` is InfluxDB's. Raises ConfigError, StoreUnavailable, StoreTooNew."""
    if url.startswith(SQLITE_PREFIX) and len(url) > len(SQLITE_PREFIX):
        return SqliteStore(Path(url.removeprefix(SQLITE_PREFIX)))
    if url.startswith(INFLUX_PREFIXES):
        from telemetry.store import influx  # noqa: PLC0415 (importing the client takes a third of a second)

        return influx.InfluxStore(influx.parse(url), token)
    raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", f"cannot open {url!r}", STORE_REMEDY)])
