"""The loops of ingest and rollup: link, back-off, stop. They must not decide what is stored or folded."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import structlog

from telemetry.core.backoff import STABLE_MS, full_jitter
from telemetry.core.topics import every
from telemetry.errors import BrokerUnavailable, StoreUnavailable
from telemetry.ingest import Ingest, try_flush
from telemetry.mqtt import Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event as Signal

    from telemetry.mqtt import BrokerAddress
    from telemetry.rollup import Rollup

_log = structlog.get_logger()
WEEK_S = 7 * 86_400
SHARED_EXPIRY_S = 60
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

    def __init__(self, role: str, take: Callable[[Message], None]) -> None:
        self._role = role
        self.received = take

    def linked(self, *, session_present: bool) -> None:
        """Log the connection."""
        _log.info("linked", role=self._role, session_present=session_present)

    def unlinked(self, code: int, reason: str) -> None:
        """Log its loss."""
        _log.warning("link_lost", role=self._role, code=code, reason=reason)

    def sent(self, mid: int, code: int) -> None:
        """Servers send at QoS 0 only."""


def ingest_link(where: BrokerAddress, name: str, *, shared: bool, ingest: Ingest) -> Link:
    """Return ingest's link: a lasting session of its own, or a short one in the shared group."""
    settings = LinkSettings(
        client_id=f"motcua-ingest-{name}",
        subscriptions=((every("up", "ingest" if shared else None), 1),),
        session_expiry_s=SHARED_EXPIRY_S if shared else WEEK_S,
        clean_start=False,
        manual_ack=True,
    )
    return Link(where, settings, _Inbox("ingest", ingest.take))


def run_ingest(ingest: Ingest, link: Link, stop: Signal) -> None:
    """Serve until stopped; a broker or a store that is away is waited for."""
    tries, writes = _Tries(), _Tries()
    while not stop.is_set():
        if link.fileno() < 0 and not _connected(link, tries, stop):
            continue
        if not ingest.full():
            link.pump(PUMP_S)
        if not ingest.ripe():
            continue
        if try_flush(ingest, link):
            writes.fresh()
        else:
            link.tick()
            writes.wait(stop)
    try_flush(ingest, link)
    link.disconnect()


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
