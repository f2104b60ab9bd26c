"""Serves the pages of any queries on a free port, for tests with a browser."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from motcua import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.queries.service import Queries


@contextmanager
def serving_queries(queries: Queries) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve the pages; yields their address and what stops them."""
    sock = web.bind_socket(("127.0.0.1", 0))
    server = web.build_server(queries)
    thread = threading.Thread(target=lambda: server.run(sockets=[sock]))
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()

    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}", stop
    finally:
        stop()
        sock.close()
