"""The loops of ingest and rollup: link, back-off, stop. They must not decide what is stored or folded."""

from __future__ import annotations

import os
import random
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Event as Signal
from typing import TYPE_CHECKING

import structlog

from telemetry.core.backoff import STABLE_MS, full_jitter
from telemetry.core.protocol.topics import every
from telemetry.errors import BrokerUnavailable, StoreUnavailable
from telemetry.ingest.stats import Figures
from telemetry.mqtt.link import Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from telemetry.ingest.service import Ingest, Write
    from telemetry.mqtt.link import BrokerAddress
    from telemetry.rollup.service import Rollup
    from telemetry.store import Stored

_log = structlog.get_logger()
WEEK_S = 7 * 86_400
SHARED_EXPIRY_S = 60
WRITES = 2
"""Writes under way at once: one waits for the store while the other is put into words."""
RECEIVE_MAXIMUM = 12_000
"""Messages the broker may have outstanding with us: the writes under way and one that gathers."""
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
    with ThreadPoolExecutor(WRITES + 1, "write") as hands:
        desk = _Desk(ingest, link, hands)
        while not stop.is_set():
            desk.settle(stop)
            if link.fileno() < 0 and not _connected(link, tries, stop):
                continue
            desk.beat()
            if not ingest.full():
                link.pump(PUMP_S, desk.ear)
            elif desk.busy():
                desk.await_write()
            if desk.wants():
                desk.begin()
        desk.close()
    link.disconnect()


class _Desk:
    """Writes done by other threads while this one goes on taking messages; they are answered in order."""

    def __init__(self, ingest: Ingest, link: Link, hands: ThreadPoolExecutor) -> None:
        self._ingest, self._link, self._hands = ingest, link, hands
        self._running: deque[tuple[Write, Future[Sequence[Stored]]]] = deque()
        self._tries = _Tries()
        self._beat: Future[bool] | None = None
        self.ear = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def beat(self) -> None:
        """Beat for the platform when it is time: the link is up, and the write tells of the store."""
        beats = self._ingest.beats
        if beats.due() and (self._beat is None or self._beat.done()):
            self._beat = self._hands.submit(beats.beat)

    def busy(self) -> bool:
        """Tell whether no further write may begin."""
        return len(self._running) >= WRITES

    def wants(self) -> bool:
        """Tell whether a write should begin: when none runs soon, beside others only a full one."""
        return self._ingest.full() and not self.busy() if self._running else self._ingest.ripe()

    def begin(self) -> None:
        """Start to write what waits."""
        write = self._ingest.gather()
        if write is not None:
            future = self._hands.submit(self._ingest.store, write)
            self._running.append((write, future))
            future.add_done_callback(lambda _: os.eventfd_write(self.ear, 1))

    def await_write(self) -> None:
        """Wait for a write while nothing more may be taken in; the connection is kept alive."""
        wait([self._running[0][1]], PUMP_S)
        self._link.tick()

    def settle(self, stop: Signal) -> None:
        """Acknowledge writes that are done; keep those that failed, unacknowledged, and wait a little."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.ear)
        while self._running and self._running[0][1].done():
            write, future = self._running[0]
            try:
                refused = future.result()
            except StoreUnavailable as error:
                self._keep(error)
                self._link.tick()
                self._tries.wait(stop)
                return
            self._running.popleft()
            self._ingest.answer(write, refused, self._link)
            self._tries.fresh()

    def _keep(self, error: StoreUnavailable) -> None:
        """Put back all that is under way: acknowledgements follow the order of delivery, and a repeat does no harm."""
        wait([future for _, future in self._running])
        for write, _ in reversed(self._running):
            self._ingest.put_back(write)
        self._running.clear()
        self._ingest.figures.failed()
        _log.error("store_unavailable", error=str(error), remedy="frames stay unacknowledged; trying again")

    def close(self) -> None:
        """Finish the writes under way and what has come since; then nothing is left but what the broker keeps."""
        wait([future for _, future in self._running])
        self.settle(_Now())
        try:
            self._ingest.flush(self._link)
        except StoreUnavailable as error:
            _log.error("store_unavailable", error=str(error), remedy="the broker keeps what is not acknowledged")
        os.close(self.ear)


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
