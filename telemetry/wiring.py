"""Opens the store that settings name; the only module that chooses an adapter, and it must not do more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.config import INFLUX_PREFIXES, SQLITE_PREFIX, STORE_REMEDY
from telemetry.errors import ConfigError, Fault
from telemetry.store import MISSING_STORE_REMEDY
from telemetry.store.sqlite import SqliteStore, missing_store
from telemetry.url_credentials import hide_credentials

if TYPE_CHECKING:
    from telemetry.store import Store


def open_store(url: str, token: str = "", *, create: bool = True) -> Store:
    """Open the store of a URL; `token` is InfluxDB's. Raises ConfigError, StoreUnavailable, StoreTooNew.

    `create=False` is for those who only read: what is missing is then a ConfigError, and nothing is created.
    """
    if url.startswith(SQLITE_PREFIX) and len(url) > len(SQLITE_PREFIX):
        path = Path(url.removeprefix(SQLITE_PREFIX))
        if not create and (problem := missing_store(path)):
            raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", problem, MISSING_STORE_REMEDY)])
        return SqliteStore(path)
    if url.startswith(INFLUX_PREFIXES):
        from telemetry.store import influx  # noqa: PLC0415 (importing the client takes a third of a second)

        return influx.InfluxStore(influx.parse(url), token, create=create)
    raise ConfigError([Fault("settings", 0, "MOTCUA_STORE", f"cannot open {hide_credentials(url)!r}", STORE_REMEDY)])


def is_missing_file(url: str) -> bool:
    """Return whether the URL names a SQLite file that does not exist, in a folder that does."""
    path = Path(url.removeprefix(SQLITE_PREFIX))
    return url.startswith(SQLITE_PREFIX) and path.parent.is_dir() and not path.exists()
