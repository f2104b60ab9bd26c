"""A tiny loopback server per component of the hosted systems, all in two threads; it must not enforce anything.

A component with a health path answers it with 200, or with 503 and the reason while something that it calls is stopped.
A database gives the figures of a
good one, whatever is asked; others accept a connection and close it. A stopped component refuses connections.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from motcua.local_cloud.control import LocalServer
from telemetry.core.calendar.windows import HOUR
from telemetry.core.hosted.database_figures import (
    ARCHIVE_AGE,
    ARCHIVE_STATUS,
    DATABASE_SIZE,
    IS_UP,
    LAG,
    LAST_COPY,
    database_limits,
    disk_bytes,
)
from telemetry.core.hosted.dependencies import nearest_called
from telemetry.core.hosted.derived_systems import component_id, system_calls
from telemetry.core.hosted.inside_probes import has_figures, is_probed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from motcua.local_cloud.control import CloudControl
    from telemetry.core.cloud.values import CloudDeclaration, Component

HOST = "127.0.0.1"
POLL_S = 0.25
"""How soon an order to stop takes effect, s."""
CLIENT_TIMEOUT_S = 2.0
MAX_REQUEST_BYTES = 4096


@dataclass(slots=True)
class _Listener:
    component: Component
    node: str
    port: int
    socket: socket.socket | None

    @property
    def server(self) -> LocalServer:
        return LocalServer(self.node, self.component.kind, f"{HOST}:{self.port}")


class LocalCloud:
    """The servers of all components that have a port; ports are free ones of this host, `clock` returns Unix ms."""

    def __init__(self, cloud: CloudDeclaration, clock: Callable[[], int]) -> None:
        self._cloud, self._clock = cloud, clock
        self._calls: Mapping[str, Iterable[str]] = system_calls(cloud)
        self._stopped: frozenset[str] = frozenset()
        self._listeners = {
            component.path: self._open(component)
            for ident in sorted(cloud.systems)
            for component in cloud.components_of(ident)
            if is_probed(component)
        }

    @staticmethod
    def _open(component: Component) -> _Listener:
        opened = _bind(0)
        return _Listener(component, component_id(component), opened.getsockname()[1], opened)

    @property
    def servers(self) -> dict[str, LocalServer]:
        """Return every server by `system/component`."""
        return {path: listener.server for path, listener in self._listeners.items()}

    def run(self, control: CloudControl, stop: threading.Event) -> None:
        """Serve, and follow the control folder until stopped."""
        with selectors.DefaultSelector() as selector, ThreadPoolExecutor(2, "local-cloud") as pool:
            for listener in self._listeners.values():
                selector.register(_open_socket(listener), selectors.EVENT_READ, listener)
            while not stop.is_set():
                self._apply_orders(control.stopped_nodes(os.getpid()), selector)
                for key, _ in selector.select(POLL_S):
                    with contextlib.suppress(OSError):
                        pool.submit(self._answer, key.data, key.fileobj.accept()[0])  # type: ignore[union-attr]
            for listener in self._listeners.values():
                _close(listener, selector)

    def _apply_orders(self, stopped: frozenset[str], selector: selectors.BaseSelector) -> None:
        """Close what is to be stopped and open again what is not, on the same port."""
        self._stopped = stopped
        for listener in self._listeners.values():
            if listener.node in stopped:
                _close(listener, selector)
            elif listener.socket is None:
                with contextlib.suppress(OSError):  # somebody has the port: the next round tries again
                    listener.socket = _bind(listener.port)
                    selector.register(listener.socket, selectors.EVENT_READ, listener)

    def _answer(self, listener: _Listener, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(CLIENT_TIMEOUT_S)
            if not listener.component.health and not has_figures(listener.component):
                return
            request = client.recv(MAX_REQUEST_BYTES)
            if listener.component.health:
                client.sendall(self._response(listener, request))
            elif request:  # a probe of the port says nothing
                client.sendall(_http_head("200 OK", "text/plain") + self._figures(listener.component))

    def _figures(self, component: Component) -> bytes:
        limits = database_limits(self._cloud, component)
        return figures_text(limits.instances, disk_bytes(component), self._clock()).encode()

    def _response(self, listener: _Listener, request: bytes) -> bytes:
        words = request.split(b"\r\n", 1)[0].split(b" ")
        if len(words) < 2 or words[1].partition(b"?")[0] != listener.component.health.encode():
            return _http("404 Not Found", {"status": "not found"})
        failed = nearest_called(listener.node, self._stopped, self._calls)
        if failed is None:
            return _http("200 OK", {"status": "ok"})
        return _http("503 Service Unavailable", {"status": "failing", "because": f"{failed} does not answer"})


def _bind(port: int) -> socket.socket:
    opened = socket.socket()
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((HOST, port))
        opened.listen(64)
    except OSError:
        opened.close()
        raise
    return opened


def _open_socket(listener: _Listener) -> socket.socket:
    assert listener.socket is not None  # noqa: S101 - all are open before the first order
    return listener.socket


def _close(listener: _Listener, selector: selectors.BaseSelector) -> None:
    if listener.socket is not None:
        selector.unregister(listener.socket)
        listener.socket.close()
        listener.socket = None


def _http(status: str, body: Mapping[str, str]) -> bytes:
    return _http_head(status, "application/json") + msgspec.json.encode(body)


def _http_head(status: str, content_type: str) -> bytes:
    """Return the head of an answer that ends with its connection."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n".encode()


def figures_text(instances: int, disk: int, now: int) -> str:
    """Return the figures of a good database, of all its instances in one text; the newest copy is of this hour."""
    lines = [f'{IS_UP}{{pod="{number}"}} 1' for number in range(1, instances + 1)]
    lines += [
        f"{LAST_COPY} {now // HOUR * HOUR // 1000}", f"{ARCHIVE_AGE} 60", f'{ARCHIVE_STATUS}{{value="ready"}} 0',
        f"{LAG} 0.2", f'{DATABASE_SIZE}{{datname="app"}} {disk * 2 // 5}',
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
