"""Whether a server answers, decided once for all resources of a run. It must not know what is asked of the server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY_AFTER_S: Final = 60.0
"""How long a server counts as unreachable before it is asked again, s; longer than a refresh of all resources takes."""


class Reachability:
    """The last known answer of one server; any number of threads may share it.

    The first caller asks the server and the others wait for its answer: without this, each of a stack's resources
    would wait for its own timeout.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._failure = ""

    def failure(self, ask: Callable[[], str]) -> str:
        """Return why the server does not answer, empty when it does; `ask` returns the same and is called once."""
        with self._lock:
            outdated = self._failure and self._asked_at is not None and self._now() - self._asked_at > RETRY_AFTER_S
            if self._asked_at is None or outdated:
                self._failure = ask()
                self._asked_at = self._now()
            return self._failure

    def report_failure(self, failure: str) -> None:
        """Note that a call was not answered: the following calls fail at once."""
        with self._lock:
            self._failure, self._asked_at = failure, self._now()


_SERVERS: dict[str, Reachability] = {}
_SERVERS_LOCK = threading.Lock()


def shared_reachability(url: str) -> Reachability:
    """Return what this process knows of the server at an address."""
    with _SERVERS_LOCK:
        return _SERVERS.setdefault(url, Reachability())
