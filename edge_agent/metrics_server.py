"""Serves the agent's figures on a loopback port; loaded only where asked for, since an HTTP server costs memory."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from edge_agent.log import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Logger(__name__)


def serve_metrics(port: int, render: Callable[[], str]) -> ThreadingHTTPServer | None:
    """Answer `GET /metrics` in a thread of its own; a port that is taken is reported and costs only the figures."""

    class MetricsHandler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            is_metrics_path = self.path == "/metrics"
            content = render().encode() if is_metrics_path else b"GET /metrics\n"
            self.send_response(200 if is_metrics_path else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), MetricsHandler)
    except OSError as error:
        _log.error("metrics_port_taken", port=port, error=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
