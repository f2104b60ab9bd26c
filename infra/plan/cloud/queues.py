"""Queues as the operator of RabbitMQ runs them: the ports at which their instances are called, which it fixes. Pure.

It must not render anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemetry.core.cloud.encryption import speaks_tls

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration, Component

QUEUE_PORT, QUEUE_TLS_PORT = 5672, 5671
MANAGEMENT_PORT, MANAGEMENT_TLS_PORT = 15672, 15671
CLUSTER_PORTS: Final = (4369, 25672)
"""The ports at which instances find each other and exchange messages (epmd, distribution of Erlang)."""


def queue_port(declaration: CloudDeclaration, queue: Component) -> int:
    """Return the only port at which the operator lets a queue be called."""
    return QUEUE_TLS_PORT if speaks_tls(declaration, queue) else QUEUE_PORT


def management_port(declaration: CloudDeclaration, queue: Component) -> int:
    """Return the port at which the operator asks an instance for its state."""
    return MANAGEMENT_TLS_PORT if speaks_tls(declaration, queue) else MANAGEMENT_PORT
