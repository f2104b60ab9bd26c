"""Ingest's loop: link, writes in other threads, back-off, stop. It must not decide what is stored or answered."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Event as Signal
from typing import TYPE_CHECKING

import structlog

from telemetry.core.protocol.topics import topic_filter
from telemetry.errors import StoreUnavailable
from telemetry.mqtt.link import Link, LinkSettings
from telemetry.mqtt.reconnect import Backoff, ForwardingListener

if TYPE_CHECKING:
    from concurrent.futures import Future

    from telemetry.ingest.isolation import StoreOutcome
    from telemetry.ingest.service import Ingest, WriteBatch
    from telemetry.mqtt.address import BrokerAddress
    from telemetry.mqtt.broker_limits import BrokerLimits

_log = structlog.get_logger()
OWN_SESSION_EXPIRY_S = 7 * 86_400
SHARED_SESSION_EXPIRY_S = 60
MAX_CONCURRENT_WRITES = 2
"""Writes in progress at once: one waits for the store while the other is encoded."""
RECEIVE_MAXIMUM = 12_000
"""Unacknowledged messages accepted from the broker: those of the writes in progress and of the next one."""
POLL_S = 0.02


def ingest_link(broker: BrokerAddress, name: str, *, shared: bool, ingest: Ingest) -> Link:
    """Return ingest's link: a long session of its own, or a short one in the shared group."""
    settings = LinkSettings(
        client_id=f"motcua-ingest-{name}",
        subscriptions=((topic_filter("up", "ingest" if shared else None), 1),),
        session_expiry_s=SHARED_SESSION_EXPIRY_S if shared else OWN_SESSION_EXPIRY_S,
        receive_maximum=RECEIVE_MAXIMUM,
        clean_start=False,
        manual_ack=True,
        needs_subscriptions=True,
    )
    stats = ingest.stats

    def on_connect() -> None:
        stats.record_connect()
        _log_limits(link.limits, settings, shared=shared)

    link = Link(broker, settings, ForwardingListener("ingest", ingest.accept, on_connect, stats.record_disconnect))
    return link


def _log_limits(limits: BrokerLimits, settings: LinkSettings, *, shared: bool) -> None:
    """Log what the broker restricts, and with which effect."""
    if restrictions := limits.restrictions():
        _log.info("broker_limits", role="ingest", **restrictions)
    if limits.session_expiry_s is not None and limits.session_expiry_s < settings.session_expiry_s:
        effect = "frames that arrive while ingest is away longer are lost from the queue; the agents send them again"
        _log.warning("session_shortened", expiry_s=limits.session_expiry_s, effect=effect)
    if shared and not limits.shared_subscriptions_available:
        effect = "every ingest receives every frame; a repeat changes nothing, but run one only, or another broker"
        _log.warning("no_shared_subscriptions", effect=effect)


def run_ingest(ingest: Ingest, link: Link, stop: Signal) -> None:
    """Run until stopped; while the broker or the store is unavailable, try again."""
    backoff = Backoff()
    with ThreadPoolExecutor(MAX_CONCURRENT_WRITES + 1, "write") as executor:
        pipeline = _WritePipeline(ingest, link, executor)
        while not stop.is_set():
            pipeline.complete_writes(stop)
            if link.fileno() < 0 and not backoff.connect(link, stop):
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
    """Writes run in other threads while this one receives messages; they are answered in order."""

    def __init__(self, ingest: Ingest, link: Link, executor: ThreadPoolExecutor) -> None:
        self._ingest, self._link, self._executor = ingest, link, executor
        self._writes: deque[tuple[WriteBatch, Future[StoreOutcome]]] = deque()
        self._backoff = Backoff()
        self._heartbeat: Future[bool] | None = None
        self.wakeup_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def submit_heartbeat(self) -> None:
        """Write the platform's heartbeat when it is due: the link is up, and the write proves that the store is too."""
        heartbeats = self._ingest.heartbeats
        if heartbeats.is_due() and (self._heartbeat is None or self._heartbeat.done()):
            self._heartbeat = self._executor.submit(heartbeats.write_heartbeat)

    def is_busy(self) -> bool:
        """Return whether no further write may begin."""
        return len(self._writes) >= MAX_CONCURRENT_WRITES

    def should_begin_write(self) -> bool:
        """Return whether to begin a write: soon when none is in progress, beside others only a full one."""
        return self._ingest.is_full() and not self.is_busy() if self._writes else self._ingest.is_batch_due()

    def begin_write(self) -> None:
        """Begin to write the waiting messages."""
        write = self._ingest.take_batch()
        if write is not None:
            future = self._executor.submit(self._ingest.store_batch, write)
            self._writes.append((write, future))
            future.add_done_callback(lambda _: os.eventfd_write(self.wakeup_fd, 1))

    def await_write(self) -> None:
        """Wait for a write while no more messages may be received; the connection is kept alive."""
        wait([self._writes[0][1]], POLL_S)
        self._link.keep_alive()

    def complete_writes(self, stop: Signal) -> None:
        """Acknowledge finished writes; put failed ones back, unacknowledged, and wait a little."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.wakeup_fd)
        while self._writes and self._writes[0][1].done():
            write, future = self._writes[0]
            try:
                outcome = future.result()
            except StoreUnavailable as error:
                self._put_back_writes(error)
                self._link.keep_alive()
                self._backoff.wait(stop)
                return
            self._writes.popleft()
            self._ingest.answer(write, outcome, self._link)
            self._backoff.reset()

    def _put_back_writes(self, error: StoreUnavailable) -> None:
        """Put back all writes: acknowledgements follow the order of delivery, and a repeated write changes nothing."""
        wait([future for _, future in self._writes])
        for write, _ in reversed(self._writes):
            self._ingest.put_back(write)
        self._writes.clear()
        self._ingest.stats.record_failed_write()
        _log.error("store_unavailable", error=str(error), remedy="frames stay unacknowledged; trying again")

    def close(self) -> None:
        """Finish the writes in progress and the waiting messages; the broker stores what is not acknowledged."""
        wait([future for _, future in self._writes])
        without_waiting = Signal()
        without_waiting.set()
        self.complete_writes(without_waiting)
        try:
            self._ingest.flush(self._link)
        except StoreUnavailable as error:
            _log.error("store_unavailable", error=str(error), remedy="the broker keeps what is not acknowledged")
        os.close(self.wakeup_fd)
