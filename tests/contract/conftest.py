"""The stores that the contract suite runs on. Fixtures only; a new adapter joins by one entry in OPENERS."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from telemetry import wiring
from telemetry.store import Store
from telemetry.store.sqlite import SqliteStore
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Opener = Callable[[], Store]
_names = itertools.count(1)


@pytest.fixture(scope="session")
def influx(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A running InfluxDB that all tests share; each takes buckets of its own. A test that kills it starts it again."""
    server = InfluxServer(influxd_program, tmp_path_factory.mktemp("influxd")).start()
    yield server
    server.end()


@pytest.fixture
def bucket() -> str:
    """The name of a raw bucket that nobody has used."""
    return f"test{next(_names)}"


def _sqlite(request: pytest.FixtureRequest) -> Opener:
    folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("store")
    return lambda: SqliteStore(folder / "store" / "motcua.db")


def _influx(request: pytest.FixtureRequest) -> Opener:
    server: InfluxServer = request.getfixturevalue("influx")
    url = server.store_url(f"test{next(_names)}")
    return lambda: wiring.open_store(url, server.token)


OPENERS: dict[str, Callable[[pytest.FixtureRequest], Opener]] = {"influx": _influx, "sqlite": _sqlite}
"""Adapter by name: a function that prepares an empty store and returns how to open it, again and again."""


@pytest.fixture(params=sorted(OPENERS))
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anew(adapter: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], Opener]]:
    """Prepare an empty store, any number of times; all that are opened are closed at the end."""
    stores: list[Store] = []

    def prepare() -> Opener:
        opener = OPENERS[adapter](request)

        def once_more() -> Store:
            stores.append(opener())
            return stores[-1]

        return once_more

    yield prepare
    for store in stores:
        store.close()


@pytest.fixture
def reopen(anew: Callable[[], Opener]) -> Opener:
    """Open one and the same store, any number of times."""
    return anew()


@pytest.fixture
def store(reopen: Opener) -> Store:
    return reopen()
