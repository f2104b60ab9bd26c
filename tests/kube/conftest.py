"""Fixtures only: the API server with kinds whose definitions nobody publishes in a package registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kube.objects import DATABASE_DEFINITIONS

if TYPE_CHECKING:
    from tests.kube_server import KubeServer


@pytest.fixture(scope="session")
def cluster(kube_server: KubeServer) -> KubeServer:
    """Return the API server, which knows the kinds of CloudNativePG by name."""
    kube_server.define(*DATABASE_DEFINITIONS)
    return kube_server
