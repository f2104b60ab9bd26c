"""Serves the agent's figures on a loopback port; loaded only where asked for, since an HTTP server costs memory."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from edge_agent.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

_log = Log(__name__)


def serve(port: int, figures: Callable[[], str]) -> ThreadingHTTPServer | None:
    """Answer `GET /metrics` in a thread of its own; a port that is taken is reported and costs only the figures."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            known = self.path == "/metrics"
            content = figures().encode() if known else b"GET /metrics\n"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        _log.error("metrics_port_taken", port=port, error=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
