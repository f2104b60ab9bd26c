"""Runs one or many agents in one thread over one selector; it must not depend on what agents send."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING, TypeVar

from edge_agent.log import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.agent import Agent

_log = Logger(__name__)
TICK_MS = 1_000
T = TypeVar("T")


class AgentLoop:
    """The event loop of agents; any thread may call `add` and `stop`."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._wakeup_receiver, self._wakeup_sender = socket.socketpair()
        self._wakeup_receiver.setblocking(False)  # noqa: FBT003
        self._wakeup_sender.setblocking(False)  # noqa: FBT003
        self._selector.register(self._wakeup_receiver, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._woken: set[Agent] = set()
        self._due: dict[Agent, int] = {}
        self._registrations: dict[Agent, tuple[int, int, int]] = {}
        self._stop_requested = threading.Event()

    def add(self, agent: Agent) -> None:
        """Add an agent; each commit to its outbox wakes the loop."""
        agent.outbox.on_appended = lambda: self._wake(agent)
        self._registrations[agent] = (0, -1, 0)
        self._wake(agent)

    def _wake(self, agent: Agent) -> None:
        with self._lock:
            new = agent not in self._woken
            self._woken.add(agent)
        if new:
            with contextlib.suppress(BlockingIOError, OSError):
                self._wakeup_sender.send(b".")

    def run(self) -> None:
        """Run the agents until `stop`; every agent is closed at the end."""
        tick = self._monotonic()
        while not self._stop_requested.is_set():
            self._handle_ready(self._selector.select(self._select_timeout(tick) / 1000))
            now = self._monotonic()
            if now >= tick:
                tick = now + TICK_MS
                self._tick_agents(now)
            self._step_due(now)
        for agent in list(self._registrations):
            self._call_safely(agent, agent.close)
        self._selector.close()
        self._wakeup_receiver.close()
        self._wakeup_sender.close()

    def _select_timeout(self, tick: int) -> int:
        first = min(self._due.values(), default=tick)
        return max(0, min(first, tick) - self._monotonic())

    def _handle_ready(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        now = self._monotonic()
        for key, mask in ready:
            agent: Agent | None = key.data
            if agent is None:
                self._on_wakeup(now)
                continue
            if mask & selectors.EVENT_WRITE:
                self._call_safely(agent, agent.link.send_pending)
            if mask & selectors.EVENT_READ:
                self._call_safely(agent, agent.link.receive_available)
            self._update_registration(agent)
            self._schedule(agent, now)

    def _on_wakeup(self, now: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakeup_receiver.recv(4096)
        with self._lock:
            woken, self._woken = self._woken, set()
        for agent in woken:
            agent.on_rows_appended(now)
            self._schedule(agent, now)

    def _tick_agents(self, now: int) -> None:
        for agent in list(self._registrations):
            if self._call_safely(agent, agent.tick):
                self._schedule(agent, now)
            self._update_registration(agent)

    def _schedule(self, agent: Agent, when: int) -> None:
        self._due[agent] = min(when, self._due.get(agent, when))

    def _step_due(self, now: int) -> None:
        for agent in [agent for agent, when in self._due.items() if when <= now]:
            next_due = self._call_safely(agent, agent.step)
            self._due[agent] = next_due if next_due is not None and next_due > now else now + 20
            self._update_registration(agent)

    def _call_safely(self, agent: Agent, act: Callable[[], T]) -> T | None:
        """Run `act`; a fault of one agent is logged and must not stop the others."""
        try:
            return act()
        except Exception:  # noqa: BLE001
            _log.exception("agent_fault", device=agent.settings.device)
            return None

    def _update_registration(self, agent: Agent) -> None:
        """Update the selector for the agent's socket at once: the number of a closed descriptor is reused."""
        fd = agent.link.fileno()
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if agent.link.wants_write() else 0)
        state = (agent.link.generation, fd, mask)
        previous = self._registrations[agent]
        if state == previous:
            return
        if state[:2] == previous[:2] and fd >= 0:
            self._selector.modify(fd, mask, agent)
        else:
            if previous[1] >= 0:
                self._unregister(previous[1])
            if fd >= 0:
                self._selector.register(fd, mask, agent)
        self._registrations[agent] = state

    def _unregister(self, fd: int) -> None:
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)

    def stop(self) -> None:
        """End the loop from any thread."""
        self._stop_requested.set()
        with contextlib.suppress(BlockingIOError, OSError):
            self._wakeup_sender.send(b".")
