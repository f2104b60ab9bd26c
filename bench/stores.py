"""Opens the store a measurement wrote into, as a second reader. It must not name an adapter."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from telemetry import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.store import Store


@contextmanager
def open_store(url: str, token: str) -> Iterator[Store]:
    """Open a store for as long as the block lasts."""
    store = wiring.open_store(url, token)
    try:
        yield store
    finally:
        store.close()


def count_stored_events(url: str, token: str) -> int:
    """Return how many agents' events the store holds."""
    with open_store(url, token) as store:
        return store.count_events()
