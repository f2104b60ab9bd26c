"""Serves a process's own figures: `/metrics`, `/healthz` and `/readyz` on a port of its own; it must not change any."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.registry import Collector

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.simple_server import WSGIServer
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client.core import Metric


class _FamiliesCollector(Collector):
    """Answers a scrape with the families as they are then."""

    def __init__(self, read_families: Callable[[], Iterable[Metric]]) -> None:
        self._read_families = read_families

    def describe(self) -> Iterable[Metric]:
        """Return no families, so that registering does not collect."""
        return []

    def collect(self) -> Iterable[Metric]:
        return self._read_families()


def registry_of(read_families: Callable[[], Iterable[Metric]]) -> CollectorRegistry:
    """Return a registry with the families that a function returns at each scrape, and the process's own metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_FamiliesCollector(read_families))
    ProcessCollector(registry=registry)
    return registry


def build_pages(read_families: Callable[[], Iterable[Metric]], is_process_ready: Callable[[], bool]) -> WSGIApplication:
    """Return `/metrics`, `/healthz` and `/readyz` of a process as a WSGI application."""
    metrics = make_wsgi_app(registry_of(read_families))

    def handle_request(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            response: Iterable[bytes] = metrics(environ, start)
            return response
        is_ok = path == "/healthz" or (path == "/readyz" and is_process_ready())
        status = "200 OK" if is_ok else "503 Service Unavailable" if path == "/readyz" else "404 Not Found"
        start(status, [("Content-Type", "text/plain")])
        return [status.encode() + b"\n"]

    return handle_request


class _QuietRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Do not log scrapes."""


def serve_application(application: WSGIApplication, listen: tuple[str, int]) -> WSGIServer:
    """Serve pages in a thread of their own until `shutdown`. Raises ConfigError when the address is in use."""
    try:
        server = make_server(listen[0], listen[1], application, handler_class=_QuietRequestHandler)
    except OSError as error:
        remedy = "stop the process that listens there, or use another address"
        fault = Fault("settings", 0, "--metrics", f"cannot listen on {listen[0]}:{listen[1]}: {error}", remedy)
        raise ConfigError([fault]) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
