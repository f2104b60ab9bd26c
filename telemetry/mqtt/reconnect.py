"""Connecting again: back-off, connecting with retry, passing on a link's messages. It must not interpret a message."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import structlog

from telemetry.core.backoff import STABLE_CONNECTION_MS, full_jitter_ms
from telemetry.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event as Signal

    from telemetry.mqtt.link import Link, Message

_log = structlog.get_logger()
RETRY_CAP_MS = 10_000


class Backoff:
    """The waits between attempts; they grow with each failure, up to `RETRY_CAP_MS`."""

    def __init__(self) -> None:
        self._attempt = 0
        self._last_connect = -STABLE_CONNECTION_MS / 1000

    def wait(self, stop: Signal) -> None:
        """Wait with full jitter, or until `stop` is set."""
        stop.wait(0.05 + full_jitter_ms(self._attempt, random.random(), 500, RETRY_CAP_MS) / 1000)  # noqa: S311
        self._attempt += 1

    def reset(self) -> None:
        """Start from the shortest wait again."""
        self._attempt = 0

    def connect(self, link: Link, stop: Signal) -> bool:
        """Try to connect and return whether it worked; waits before, unless the last connection was stable."""
        if time.monotonic() - self._last_connect < STABLE_CONNECTION_MS / 1000:
            self.wait(stop)
        else:
            self.reset()
        self._last_connect = time.monotonic()
        try:
            link.connect()
        except BrokerUnavailable as error:
            _log.warning("broker_unreachable", error=str(error))
            return False
        return True


class ForwardingListener:
    """A server's listener: logs connections and their loss, and calls one function for each and for messages."""

    def __init__(
        self, role: str, on_message: Callable[[Message], None],
        on_connect: Callable[[], None] = lambda: None, on_disconnect: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._role, self._on_connect, self._on_disconnect = role, on_connect, on_disconnect
        self.on_message = on_message

    def on_connected(self, *, session_present: bool) -> None:
        """Log the connection."""
        self._on_connect()
        _log.info("linked", role=self._role, session_present=session_present)

    def on_disconnected(self, code: int, reason: str) -> None:
        """Log the loss of the connection."""
        self._on_disconnect()
        _log.warning("link_lost", role=self._role, code=code, reason=reason)

    def on_puback(self, mid: int, code: int) -> None:
        """Do nothing: servers send at QoS 0 only."""
