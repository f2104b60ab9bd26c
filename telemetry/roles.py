"""The loops of ingest and rollup: link, back-off, stop. They must not decide what is stored or folded."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Event as Signal
from typing import TYPE_CHECKING

import structlog

from telemetry.core.backoff import STABLE_MS, full_jitter
from telemetry.core.topics import every
from telemetry.errors import BrokerUnavailable, StoreUnavailable
from telemetry.figures import Figures
from telemetry.mqtt import Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from telemetry.ingest import Ingest, Write
    from telemetry.mqtt import BrokerAddress
    from telemetry.rollup import Rollup
    from telemetry.store import Stored

_log = structlog.get_logger()
WEEK_S = 7 * 86_400
SHARED_EXPIRY_S = 60
RECEIVE_MAXIMUM = 10_000
"""Messages the broker may have outstanding with us: two writes' worth, so that one can gather while one is written."""
RETRY_CAP_MS = 10_000
PUMP_S = 0.02
PASS_EVERY_S = 1.0


class _Tries:
    """When to try again after a failure."""

    def __init__(self) -> None:
        self._attempt = 0
        self._last = -STABLE_MS / 1000

    def rest(self, stop: Signal) -> None:
        """Wait before another connection, unless the last one stood for long."""
        if time.monotonic() - self._last < STABLE_MS / 1000:
            self.wait(stop)
        else:
            self.fresh()
        self._last = time.monotonic()

    def wait(self, stop: Signal) -> None:
        """Wait with full jitter, or until stopped."""
        stop.wait(0.05 + full_jitter(self._attempt, random.random(), 500, RETRY_CAP_MS) / 1000)  # noqa: S311
        self._attempt += 1

    def fresh(self) -> None:
        """Start from the shortest wait again."""
        self._attempt = 0


class _Inbox:
    """Hands a link's messages on."""

    def __init__(self, role: str, take: Callable[[Message], None], figures: Figures | None = None) -> None:
        self._role = role
        self._figures = figures or Figures()
        self.received = take

    def linked(self, *, session_present: bool) -> None:
        """Log the connection."""
        self._figures.linked, self._figures.links = True, self._figures.links + 1
        _log.info("linked", role=self._role, session_present=session_present)

    def unlinked(self, code: int, reason: str) -> None:
        """Log its loss."""
        self._figures.linked = False
        _log.warning("link_lost", role=self._role, code=code, reason=reason)

    def sent(self, mid: int, code: int) -> None:
        """Servers send at QoS 0 only."""


def ingest_link(where: BrokerAddress, name: str, *, shared: bool, ingest: Ingest) -> Link:
    """Return ingest's link: a lasting session of its own, or a short one in the shared group."""
    settings = LinkSettings(
        client_id=f"motcua-ingest-{name}",
        subscriptions=((every("up", "ingest" if shared else None), 1),),
        session_expiry_s=SHARED_EXPIRY_S if shared else WEEK_S,
        receive_maximum=RECEIVE_MAXIMUM,
        clean_start=False,
        manual_ack=True,
    )
    return Link(where, settings, _Inbox("ingest", ingest.take, ingest.figures))


def run_ingest(ingest: Ingest, link: Link, stop: Signal) -> None:
    """Serve until stopped; a broker or a store that is away is waited for."""
    tries = _Tries()
    with ThreadPoolExecutor(1, "write") as hands:
        desk = _Desk(ingest, link, hands)
        while not stop.is_set():
            desk.settle(stop)
            if link.fileno() < 0 and not _connected(link, tries, stop):
                continue
            if not ingest.full():
                link.pump(PUMP_S, desk.ear)
            elif desk.busy():
                desk.await_write(link)
            if ingest.ripe() and not desk.busy():
                desk.begin()
        desk.close()
    link.disconnect()


class _Desk:
    """One write at a time, done by another thread while this one goes on taking messages."""

    def __init__(self, ingest: Ingest, link: Link, hands: ThreadPoolExecutor) -> None:
        self._ingest, self._link, self._hands = ingest, link, hands
        self._running: tuple[Write, Future[Sequence[Stored]]] | None = None
        self._tries = _Tries()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.ear = self._bell

    def busy(self) -> bool:
        """Tell whether a write is under way."""
        return self._running is not None

    def begin(self) -> None:
        """Start to write what waits."""
        write = self._ingest.gather()
        if write is not None:
            future = self._hands.submit(self._ingest.store, write)
            self._running = write, future
            future.add_done_callback(lambda _: os.eventfd_write(self._bell, 1))

    def await_write(self, link: Link) -> None:
        """Wait for the write while nothing more may be taken in; the connection is kept alive."""
        if self._running is not None:
            wait([self._running[1]], PUMP_S)
            link.tick()

    def settle(self, stop: Signal) -> None:
        """Acknowledge a write that is done; keep one that failed, unacknowledged, and wait a little."""
        if self._running is None or not self._running[1].done():
            return
        (write, future), self._running = self._running, None
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        try:
            self._ingest.answer(write, future.result(), self._link)
            self._tries.fresh()
        except StoreUnavailable as error:
            self._ingest.put_back(write)
            self._ingest.figures.failed()
            _log.error("store_unavailable", error=str(error), remedy="frames stay unacknowledged; trying again")
            self._link.tick()
            self._tries.wait(stop)

    def close(self) -> None:
        """Finish the write under way and what has come since; then nothing is left but what the broker keeps."""
        if self._running is not None:
            wait([self._running[1]])
            self.settle(_Now())
        try:
            self._ingest.flush(self._link)
        except StoreUnavailable as error:
            _log.error("store_unavailable", error=str(error), remedy="the broker keeps what is not acknowledged")
        os.close(self._bell)


class _Now(Signal):
    """A stop that is set: nobody waits any more."""

    def wait(self, timeout: float | None = None) -> bool:
        """Do not wait."""
        del timeout
        return True


def _connected(link: Link, tries: _Tries, stop: Signal) -> bool:
    tries.rest(stop)
    try:
        link.connect()
    except BrokerUnavailable as error:
        _log.warning("broker_unreachable", error=str(error))
        return False
    return True


class StateInbox:
    """Collects `…/state` messages for rollup."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def take(self, message: Message) -> None:
        """Keep a message until the next pass."""
        self.messages.append(message)

    def drain(self) -> list[Message]:
        """Return and forget what was kept."""
        messages, self.messages = self.messages, []
        return messages


def rollup_link(where: BrokerAddress, inbox: StateInbox) -> Link:
    """Return rollup's link to the presence topics."""
    settings = LinkSettings(client_id="motcua-rollup", subscriptions=((every("state"), 1),))
    return Link(where, settings, _Inbox("rollup", inbox.take))


def run_rollup(rollup: Rollup, link: Link, inbox: StateInbox, stop: Signal) -> None:
    """Fold once a second until stopped; folding goes on while the broker is away."""
    tries = _Tries()
    while not stop.is_set():
        began = time.monotonic()
        if link.fileno() < 0:
            _connected(link, tries, stop)
        _pass(rollup, inbox)
        while link.fileno() >= 0 and time.monotonic() - began < PASS_EVERY_S and not stop.is_set():
            link.pump(0.1)
    link.disconnect()


def _pass(rollup: Rollup, inbox: StateInbox) -> None:
    messages = inbox.drain()
    try:
        rollup.follow(messages)
        messages = []
        rollup.run_once()
    except StoreUnavailable as error:
        inbox.messages = messages + inbox.messages
        _log.error("store_unavailable", role="rollup", error=str(error), remedy="trying again")
