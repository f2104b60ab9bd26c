"""What every component needs of the platform, as allowed connections: generated, never declared. Pure.

It must not open more than each zone needs; identity, registry and proxy are declared where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.connections import component_endpoint, distinct_connections, platform_endpoint
from infra.plan.cloud.names import CLUSTER_API, DATABASE_OPERATOR
from infra.plan.cloud.queues import CLUSTER_PORTS, management_port
from infra.plan.cloud.values import QUEUE_OPERATOR, QUEUE_OPERATOR_NAMESPACE, AllowedConnection, Endpoint
from infra.plan.cloud.vantage_points import vantage_connections
from telemetry.core.hosted.database_figures import METRICS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.connections import Namespaces
    from telemetry.core.cloud.values import CloudDeclaration, Component

DNS_PORT = 53
DATABASE_PORT = 5432
DATABASE_STATUS_PORT = 8000
"""The status port of CloudNativePG's instances, which its operator and the other instances call."""
OPERATOR_WEBHOOK_PORT = 9443
CLUSTER_API_END = Endpoint("platform", CLUSTER_API, zone="manage")
OPERATOR_END = Endpoint("operator", DATABASE_OPERATOR, zone="manage", namespace="cnpg-system")
QUEUE_OPERATOR_END = Endpoint("operator", QUEUE_OPERATOR, zone="manage", namespace=QUEUE_OPERATOR_NAMESPACE)


def is_isolation_check(connection: AllowedConnection) -> bool:
    """Return whether a connection is that of a database's instances to each other's status, which the operator made."""
    is_inner = connection.origin == "platform" and connection.source == connection.target
    return is_inner and connection.port == DATABASE_STATUS_PORT


def platform_connections(
    declaration: CloudDeclaration, namespaces: Namespaces, province: str
) -> tuple[AllowedConnection, ...]:
    """Return the connections between hosted components, the platform and its vantage points, sorted."""
    watching = vantage_connections(declaration, namespaces, province)
    return distinct_connections((*_generated_connections(declaration, namespaces), *watching))


def _generated_connections(declaration: CloudDeclaration, namespaces: Namespaces) -> Iterator[AllowedConnection]:
    has_database = False
    for component in declaration.components:
        here = component_endpoint(component, namespaces)
        if here is None or component.kind == "objects":
            continue
        yield from _service_connections(declaration, component, here)
        yield from _scrape_connections(declaration, component, here)
        if component.kind == "database":
            has_database = True
            yield from _database_connections(declaration, component, here)
        elif component.kind == "queue":
            yield from _queue_connections(declaration, component, here)
    if has_database:
        yield AllowedConnection(
            CLUSTER_API_END, OPERATOR_END, OPERATOR_WEBHOOK_PORT, origin="platform", why="checks of database objects"
        )


def _service_connections(
    declaration: CloudDeclaration, component: Component, here: Endpoint
) -> Iterator[AllowedConnection]:
    """Yield the way out to names, time, logs; to secrets from the server zone, to the backup store where data is."""
    wanted = [("dns", "UDP", "names"), ("dns", "TCP", "names"), ("time", "UDP", "time"), ("logs", "TCP", "logs")]
    if component.zone == "server":
        wanted.append(("secrets", "TCP", "secrets"))
    if component.kind == "database":
        wanted.append(("backup", "TCP", "copies"))
    for name, protocol, why in wanted:
        end = platform_endpoint(declaration, name)
        if end is not None:
            port = declaration.platform[name].port or DNS_PORT
            tls = protocol == "TCP" and name != "dns"
            yield AllowedConnection(
                here, end, port, "UDP" if protocol == "UDP" else "TCP", tls=tls, origin="platform", why=why
            )


def _scrape_connections(
    declaration: CloudDeclaration, component: Component, here: Endpoint
) -> Iterator[AllowedConnection]:
    """Yield the way in for figures and probes."""
    metrics = platform_endpoint(declaration, "metrics")
    port = METRICS_PORT if component.kind == "database" else component.probe_port
    if metrics is not None and port:
        yield AllowedConnection(metrics, here, port, origin="platform", why="figures and probes")


def _database_connections(
    declaration: CloudDeclaration, component: Component, here: Endpoint
) -> Iterator[AllowedConnection]:
    """Yield what the operator and the instances among each other need."""
    port = component.port or DATABASE_PORT
    for operator_port in (DATABASE_STATUS_PORT, port):
        yield AllowedConnection(OPERATOR_END, here, operator_port, origin="platform", why="operation of the database")
    yield AllowedConnection(here, here, port, origin="platform", why="replication")
    # A primary that reaches neither the API server nor another instance takes itself for cut off, and stops.
    yield AllowedConnection(here, here, DATABASE_STATUS_PORT, origin="platform", why="isolation check")
    yield from _cluster_state_connections(declaration, here)


def _cluster_state_connections(declaration: CloudDeclaration, here: Endpoint) -> Iterator[AllowedConnection]:
    """Yield the way to the API server, where instances ask which others there are."""
    for api_port in declaration.ground.api_server_ports:
        yield AllowedConnection(here, CLUSTER_API_END, api_port, origin="platform", why="state of the cluster")


def _queue_connections(
    declaration: CloudDeclaration, component: Component, here: Endpoint
) -> Iterator[AllowedConnection]:
    """Yield what the instances of a queue need among each other, and its operator, which asks them for their state."""
    for port in CLUSTER_PORTS:
        yield AllowedConnection(here, here, port, origin="platform", why="replication")
    if QUEUE_OPERATOR in declaration.ground.engines:
        port = management_port(declaration, component)
        yield AllowedConnection(QUEUE_OPERATOR_END, here, port, origin="platform", why="operation of the queue")
    yield from _cluster_state_connections(declaration, here)
