"""Stores the figures of past months as documents, so that an API's first answer need not read a year; nightly work.

It must not serve answers: the documents are copies that readers take as a beginning and read again.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import structlog

from telemetry import wiring
from telemetry.queries.service import Queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.config import ServerSettings
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

_log = structlog.get_logger()


def store_month_figures(store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> int:
    """Write the documents of the past months; returns how many. Raises StoreUnavailable."""
    written = 0
    for name, body in Queries(store, inventory, clock).indicators.month_documents():
        store.put_document(name, body)
        written += 1
    return written


def store_figures_now(settings: ServerSettings, inventory: Callable[[], Inventory]) -> None:
    """Write the documents of the settings' store. Raises ConfigError, StoreUnavailable."""
    with closing(wiring.open_store(settings.store, settings.store_token, create=False)) as store:
        written = store_month_figures(store, inventory, lambda: time.time_ns() // 1_000_000)
    _log.info("month_figures_stored", documents=written)
