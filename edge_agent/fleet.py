"""Runs one or many agents in one thread over one selector. It must not know what agents send."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING, TypeVar

from edge_agent.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.agent import Agent

_log = Log(__name__)
TICK_MS = 1_000
T = TypeVar("T")


class Fleet:
    """The loop of agents; `add` and `stop` may be called from any thread."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)  # noqa: FBT003
        self._mouth.setblocking(False)  # noqa: FBT003
        self._selector.register(self._ear, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._called: set[Agent] = set()
        self._due: dict[Agent, int] = {}
        self._watched: dict[Agent, tuple[int, int, int]] = {}
        self._stopped = threading.Event()

    def add(self, agent: Agent) -> None:
        """Take an agent in; its outbox's commits wake the loop."""
        agent.outbox.appended = lambda: self._wake(agent)
        self._watched[agent] = (0, -1, 0)
        self._wake(agent)

    def _wake(self, agent: Agent) -> None:
        with self._lock:
            new = agent not in self._called
            self._called.add(agent)
        if new:
            with contextlib.suppress(BlockingIOError, OSError):
                self._mouth.send(b".")

    def run(self) -> None:
        """Serve agents until `stop`; every agent is closed at the end."""
        tick = self._monotonic()
        while not self._stopped.is_set():
            self._serve(self._selector.select(self._timeout(tick) / 1000))
            now = self._monotonic()
            if now >= tick:
                tick = now + TICK_MS
                self._tick(now)
            self._step_due(now)
        for agent in list(self._watched):
            self._safely(agent, agent.close)
        self._selector.close()
        self._ear.close()
        self._mouth.close()

    def _timeout(self, tick: int) -> int:
        first = min(self._due.values(), default=tick)
        return max(0, min(first, tick) - self._monotonic())

    def _serve(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        now = self._monotonic()
        for key, mask in ready:
            agent = key.data
            if agent is None:
                self._heard(now)
                continue
            if mask & selectors.EVENT_WRITE:
                self._safely(agent, agent.link.writable)
            if mask & selectors.EVENT_READ:
                self._safely(agent, agent.link.readable)
            self._watch(agent)
            self._plan(agent, now)

    def _heard(self, now: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)
        with self._lock:
            called, self._called = self._called, set()
        for agent in called:
            agent.appended(now)
            self._plan(agent, now)

    def _tick(self, now: int) -> None:
        for agent in list(self._watched):
            if self._safely(agent, agent.tick):
                self._plan(agent, now)
            self._watch(agent)

    def _plan(self, agent: Agent, when: int) -> None:
        self._due[agent] = min(when, self._due.get(agent, when))

    def _step_due(self, now: int) -> None:
        for agent in [agent for agent, when in self._due.items() if when <= now]:
            following = self._safely(agent, agent.step)
            self._due[agent] = following if following is not None and following > now else now + 20
            self._watch(agent)

    def _safely(self, agent: Agent, act: Callable[[], T]) -> T | None:
        """One agent's fault must not stop the others; it is reported and tried again."""
        try:
            return act()
        except Exception:  # noqa: BLE001
            _log.exception("agent_fault", device=agent.settings.device)
            return None

    def _watch(self, agent: Agent) -> None:
        """Keep the selector in step with the agent's socket, at once: a closed descriptor's number is used again."""
        fd = agent.link.fileno()
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if agent.link.wants_write() else 0)
        state = (agent.link.generation, fd, mask)
        old = self._watched[agent]
        if state == old:
            return
        if state[:2] == old[:2] and fd >= 0:
            self._selector.modify(fd, mask, agent)
        else:
            if old[1] >= 0:
                self._unregister(old[1])
            if fd >= 0:
                self._selector.register(fd, mask, agent)
        self._watched[agent] = state

    def _unregister(self, fd: int) -> None:
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)

    def stop(self) -> None:
        """End the loop from any thread."""
        self._stopped.set()
        with contextlib.suppress(BlockingIOError, OSError):
            self._mouth.send(b".")
