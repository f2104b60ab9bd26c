"""The cloud that all tests of this folder share. Fixtures only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud_examples import base_declaration, gateway_system
from tests.openstack_cloud import OpenstackCloud, SentSystems, send_systems

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if "tests/openstack/" in item.nodeid:
            item.add_marker("openstack")


@pytest.fixture(scope="session")
def cloud(openstack_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenstackCloud]:
    """A running Keystone and Neutron, which all tests of a process share."""
    running = OpenstackCloud(openstack_python, tmp_path_factory.mktemp("openstack"))
    try:
        yield running.start()
    finally:
        running.end()


@pytest.fixture(scope="session")
def onestop(cloud: OpenstackCloud) -> SentSystems:
    """The base declaration, sent once as the stage `prod`; tests only ask for what is refused."""
    return send_systems(cloud, base_declaration(), "prod")


@pytest.fixture(scope="session")
def onestop_and_lgsp(cloud: OpenstackCloud) -> SentSystems:
    """Two systems, one of which calls the other's gateway, sent once as the stage `stage`."""
    return send_systems(cloud, gateway_system(), "stage")
