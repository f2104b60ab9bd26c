"""Fixtures only: the real engine, and a stack `local` on real servers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.engine.world import World
    from tests.kube_server import KubeServer


@pytest.fixture(scope="session")
def engine() -> str:
    """Return the path of Pulumi's command line; skips without one, in CI too: it comes from no package archive."""
    found = shutil.which("pulumi")
    if found is None or shutil.which("pulumi-language-python") is None:
        pytest.skip(
            "no Pulumi engine: put `pulumi` and its language host on PATH (https://www.pulumi.com/docs/install/)"
        )
    return str(found)


@pytest.fixture(scope="module")
def world_of(
    engine: str, influxd_program: str, require: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], World]]:
    """Return a function that starts a world; all of them end with the module."""
    from tests.engine.world import World

    assert engine
    assert influxd_program
    require("mosquitto")
    begun: list[World] = []

    def start() -> World:
        begun.append(World(tmp_path_factory.mktemp("world")))
        return begun[-1]

    yield start
    for world in begun:
        world.end()


@pytest.fixture(scope="module")
def api_server(engine: str, request: pytest.FixtureRequest) -> KubeServer:
    """A server; skips without the engine's provider, in CI too: it comes from no package archive."""
    assert engine
    if shutil.which("pulumi-resource-kubernetes") is None:
        pytest.skip("put pulumi-resource-kubernetes on PATH (https://www.pulumi.com/docs/install/)")
    server: KubeServer = request.getfixturevalue("kube_server")
    return server
