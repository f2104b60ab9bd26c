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

from telemetry.core.backoff import STABLE_CONNECTION_MS, full_jitter_ms
from telemetry.core.protocol.topics import topic_filter
from telemetry.errors import BrokerUnavailable, StoreUnavailable
from telemetry.ingest.stats import IngestStats
from telemetry.mqtt.link import Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from telemetry.ingest.service import Ingest, WriteBatch
    from telemetry.mqtt.link import BrokerAddress
    from telemetry.rollup.service import Rollup
    from telemetry.store import StoredEvent

_log = structlog.get_logger()
OWN_SESSION_EXPIRY_S = 7 * 86_400
SHARED_SESSION_EXPIRY_S = 60
MAX_CONCURRENT_WRITES = 2
"""Writes under way at once: one waits for the store while the other is put into words."""
RECEIVE_MAXIMUM = 12_000
"""Messages the broker may have outstanding with us: the writes under way and one that gathers."""
RETRY_CAP_MS = 10_000
POLL_S = 0.02
PASS_INTERVAL_S = 1.0


class _Backoff:
    """When to try again after a failure."""

    def __init__(self) -> None:
        self._attempt = 0
        self._last_connect = -STABLE_CONNECTION_MS / 1000

    def wait_before_connect(self, stop: Signal) -> None:
        """Wait before another connection, unless the last one stood for long."""
        if time.monotonic() - self._last_connect < STABLE_CONNECTION_MS / 1000:
            self.wait(stop)
        else:
            self.reset()
        self._last_connect = time.monotonic()

    def wait(self, stop: Signal) -> None:
        """Wait with full jitter, or until stopped."""
        stop.wait(0.05 + full_jitter_ms(self._attempt, random.random(), 500, RETRY_CAP_MS) / 1000)  # noqa: S311
        self._attempt += 1

    def reset(self) -> None:
        """Start from the shortest wait again."""
        self._attempt = 0


class _ForwardingListener:
    """Hands a link's messages on."""

    def __init__(self, role: str, on_message: Callable[[Message], None], stats: IngestStats | None = None) -> None:
        self._role = role
        self._stats = stats or IngestStats()
        self.on_message = on_message

    def on_connected(self, *, session_present: bool) -> None:
        """Log the connection."""
        self._stats.is_connected, self._stats.connections = True, self._stats.connections + 1
        _log.info("linked", role=self._role, session_present=session_present)

    def on_disconnected(self, code: int, reason: str) -> None:
        """Log its loss."""
        self._stats.is_connected = False
        _log.warning("link_lost", role=self._role, code=code, reason=reason)

    def on_puback(self, mid: int, code: int) -> None:
        """Servers send at QoS 0 only."""


def ingest_link(broker: BrokerAddress, name: str, *, shared: bool, ingest: Ingest) -> Link:
    """Return ingest's link: a lasting session of its own, or a short one in the shared group."""
    settings = LinkSettings(
        client_id=f"motcua-ingest-{name}",
        subscriptions=((topic_filter("up", "ingest" if shared else None), 1),),
        session_expiry_s=SHARED_SESSION_EXPIRY_S if shared else OWN_SESSION_EXPIRY_S,
        receive_maximum=RECEIVE_MAXIMUM,
        clean_start=False,
        manual_ack=True,
    )
    return Link(broker, settings, _ForwardingListener("ingest", ingest.accept, ingest.stats))


def run_ingest(ingest: Ingest, link: Link, stop: Signal) -> None:
    """Serve until stopped; a broker or a store that is away is waited for."""
    backoff = _Backoff()
    with ThreadPoolExecutor(MAX_CONCURRENT_WRITES + 1, "write") as executor:
        pipeline = _WritePipeline(ingest, link, executor)
        while not stop.is_set():
            pipeline.complete_writes(stop)
            if link.fileno() < 0 and not _try_connect(link, backoff, stop):
                continue
            pipeline.submit_heartbeat()
            if not ingest.is_full():
                link.poll(POLL_S, pipeline.wakeup_fd)
            elif pipeline.is_busy():
                pipeline.await_write()
            if pipeline.should_begin_write():
                pipeline.begin_write()
        pipeline.close()
    link.disconnect()


class _WritePipeline:
    """Writes done by other threads while this one goes on taking messages; they are answered in order."""

    def __init__(self, ingest: Ingest, link: Link, executor: ThreadPoolExecutor) -> None:
        self._ingest, self._link, self._executor = ingest, link, executor
        self._writes: deque[tuple[WriteBatch, Future[Sequence[StoredEvent]]]] = deque()
        self._backoff = _Backoff()
        self._heartbeat: Future[bool] | None = None
        self.wakeup_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def submit_heartbeat(self) -> None:
        """Beat for the platform when it is time: the link is up, and the write tells of the store."""
        heartbeats = self._ingest.heartbeats
        if heartbeats.is_due() and (self._heartbeat is None or self._heartbeat.done()):
            self._heartbeat = self._executor.submit(heartbeats.write_heartbeat)

    def is_busy(self) -> bool:
        """Tell whether no further write may begin."""
        return len(self._writes) >= MAX_CONCURRENT_WRITES

    def should_begin_write(self) -> bool:
        """Tell whether a write should begin: when none runs soon, beside others only a full one."""
        return self._ingest.is_full() and not self.is_busy() if self._writes else self._ingest.is_batch_due()

    def begin_write(self) -> None:
        """Start to write what waits."""
        write = self._ingest.take_batch()
        if write is not None:
            future = self._executor.submit(self._ingest.store_batch, write)
            self._writes.append((write, future))
            future.add_done_callback(lambda _: os.eventfd_write(self.wakeup_fd, 1))

    def await_write(self) -> None:
        """Wait for a write while nothing more may be taken in; the connection is kept alive."""
        wait([self._writes[0][1]], POLL_S)
        self._link.keep_alive()

    def complete_writes(self, stop: Signal) -> None:
        """Acknowledge writes that are done; keep those that failed, unacknowledged, and wait a little."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.wakeup_fd)
        while self._writes and self._writes[0][1].done():
            write, future = self._writes[0]
            try:
                refused = future.result()
            except StoreUnavailable as error:
                self._put_back_writes(error)
                self._link.keep_alive()
                self._backoff.wait(stop)
                return
            self._writes.popleft()
            self._ingest.answer(write, refused, self._link)
            self._backoff.reset()

    def _put_back_writes(self, error: StoreUnavailable) -> None:
        """Put back all that is under way: acknowledgements follow the order of delivery, and a repeat does no harm."""
        wait([future for _, future in self._writes])
        for write, _ in reversed(self._writes):
            self._ingest.put_back(write)
        self._writes.clear()
        self._ingest.stats.record_failed_write()
        _log.error("store_unavailable", error=str(error), remedy="frames stay unacknowledged; trying again")

    def close(self) -> None:
        """Finish the writes under way and what has come since; then nothing is left but what the broker keeps."""
        wait([future for _, future in self._writes])
        self.complete_writes(_AlreadySet())
        try:
            self._ingest.flush(self._link)
        except StoreUnavailable as error:
            _log.error("store_unavailable", error=str(error), remedy="the broker keeps what is not acknowledged")
        os.close(self.wakeup_fd)


class _AlreadySet(Signal):
    """A stop that is set: nobody waits any more."""

    def wait(self, timeout: float | None = None) -> bool:
        """Do not wait."""
        del timeout
        return True


def _try_connect(link: Link, backoff: _Backoff, stop: Signal) -> bool:
    backoff.wait_before_connect(stop)
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

    def collect(self, message: Message) -> None:
        """Keep a message until the next pass."""
        self.messages.append(message)

    def drain(self) -> list[Message]:
        """Return and forget what was kept."""
        messages, self.messages = self.messages, []
        return messages


def rollup_link(broker: BrokerAddress, inbox: StateInbox) -> Link:
    """Return rollup's link to the presence topics."""
    settings = LinkSettings(client_id="motcua-rollup", subscriptions=((topic_filter("state"), 1),))
    return Link(broker, settings, _ForwardingListener("rollup", inbox.collect))


def run_rollup(rollup: Rollup, link: Link, inbox: StateInbox, stop: Signal) -> None:
    """Fold once a second until stopped; folding goes on while the broker is away."""
    backoff = _Backoff()
    while not stop.is_set():
        started_at = time.monotonic()
        if link.fileno() < 0:
            _try_connect(link, backoff, stop)
        _run_pass(rollup, inbox)
        while link.fileno() >= 0 and time.monotonic() - started_at < PASS_INTERVAL_S and not stop.is_set():
            link.poll(0.1)
    link.disconnect()


def _run_pass(rollup: Rollup, inbox: StateInbox) -> None:
    messages = inbox.drain()
    try:
        rollup.store_presence(messages)
        messages = []
        rollup.run_once()
    except StoreUnavailable as error:
        inbox.messages = messages + inbox.messages
        _log.error("store_unavailable", role="rollup", error=str(error), remedy="trying again")
