"""Serves a process's own figures: `/metrics`, `/healthz` and `/readyz` on a port of its own; it must not change any."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.simple_server import WSGIServer
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client.registry import Collector


def registry_of(collector: Collector) -> CollectorRegistry:
    """Return a registry with a collector and the process's own metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


def build_pages(collector: Collector, is_process_ready: Callable[[], bool]) -> WSGIApplication:
    """Return `/metrics`, `/healthz` and `/readyz` of a process as a WSGI application."""
    metrics = make_wsgi_app(registry_of(collector))

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
