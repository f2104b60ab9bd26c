"""Serves the API and pages with uvicorn, as a thread of the demo or as the `api` role."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable
from contextlib import closing
from threading import Event

import structlog
import uvicorn

from api.alertmanager import AlertmanagerClient
from api.alertmanager_access import AlertmanagerAccess
from api.app import create_app
from api.loading import LoadingState
from api.operators import load_operators
from motcua.roles import RoleThreads, wait_for_store
from motcua.system import wall_ms
from telemetry import __version__, wiring
from telemetry.config import ServerSettings
from telemetry.core.inventory import Inventory
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.queries.service import Queries
from telemetry.store import Store
from telemetry.wiring import is_missing_file

_log = structlog.get_logger(__name__)
GC_THRESHOLDS = (50_000, 20, 50)
"""Thresholds of the garbage collector's three generations."""


class _StandaloneServer(uvicorn.Server):
    """A server in its own process: objects created at the start exist until it ends, so collections skip them.

    With 8,400 devices a full collection takes 35 to 60 ms, in which no request is answered.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)


def _server_config(
    queries: Queries, loading: LoadingState | None = None, alertmanager: AlertmanagerAccess | None = None
) -> uvicorn.Config:
    app = create_app(queries, version=__version__, loading=loading, alertmanager=alertmanager)
    return uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)


def build_server(queries: Queries, loading: LoadingState | None = None) -> uvicorn.Server:
    """Return a server for the app, not started."""
    return uvicorn.Server(_server_config(queries, loading))


def bind_socket(listen: tuple[str, int], field: str = "MOTCUA_API_LISTEN") -> socket.socket:
    """Return a bound socket; raises ConfigError, naming the option or setting, when the address is taken."""
    family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only for this
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(listen)
    except OSError as error:
        sock.close()
        remedy = f"stop the program that uses the port, or choose another port with {field}"
        fault = Fault("settings", 0, field, f"cannot listen on {listen[0]}:{listen[1]}: {error}", remedy)
        raise ConfigError([fault]) from error
    return sock


def start_api(
    threads: RoleThreads,
    store_url: str,
    inventory: Callable[[], Inventory],
    clock: Callable[[], int],
    sock: socket.socket,
    loading: LoadingState | None = None,
) -> str:
    """Start the API on a bound socket, as a thread; returns its URL once it answers."""
    store = wiring.open_store(store_url)
    api_server = build_server(Queries(store, inventory, clock), loading)
    threads.start("api", lambda: api_server.run(sockets=[sock]))
    threads.start("api-stop", lambda: _exit_on_stop(api_server, threads.stop))
    threads.on_exit(store.close)
    deadline = time.monotonic() + 10
    while not api_server.started:
        if time.monotonic() > deadline:
            msg = "the API did not start within 10 s"
            raise MotcuaError(msg)
        time.sleep(0.02)
    host, port = sock.getsockname()[:2]
    return f"http://{host}:{port}"


def _exit_on_stop(api_server: uvicorn.Server, stop: Event) -> None:
    stop.wait()
    api_server.should_exit = True


def run_api(
    store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int], listen: tuple[str, int],
    on_bound: Callable[[str], object] = lambda _url: None, alertmanager: AlertmanagerAccess | None = None,
) -> None:  # fmt: skip
    """Serve the API in this thread until SIGINT or SIGTERM; `on_bound` gets its URL once the port is its own."""
    sock = bind_socket(listen)
    on_bound(f"http://{listen[0]}:{sock.getsockname()[1]}/")
    config = _server_config(Queries(store, inventory, clock), alertmanager=alertmanager)
    _StandaloneServer(config).run(sockets=[sock])


def open_alertmanager(settings: ServerSettings) -> AlertmanagerAccess | None:
    """Return how the API reaches Alertmanager, None without one; raises ConfigError for a faulty operators' file."""
    operators = load_operators(settings.operators) if settings.operators else None
    if not settings.alertmanager:
        return None
    return AlertmanagerAccess(AlertmanagerClient(settings.alertmanager, ca=settings.alertmanager_ca), operators)


def run_api_role(
    settings: ServerSettings, inventory: Callable[[], Inventory], stop: Event, on_bound: Callable[[str], object]
) -> None:
    """Serve the API until SIGINT or SIGTERM, as soon as the store is reachable; raises ConfigError without a store.

    A SQLite file that is missing from an existing folder is created, so that the API may start before ingest.
    """
    alertmanager = open_alertmanager(settings)
    is_new = is_missing_file(settings.store)
    if is_new:
        _log.warning("empty_store_created", store=settings.store, remedy="check MOTCUA_STORE when it should have data")
    store = wait_for_store(settings, stop, create=is_new)
    if store is not None:
        with closing(store):
            run_api(store, inventory, wall_ms, settings.listen, on_bound, alertmanager)
    if alertmanager is not None:
        alertmanager.client.close()
