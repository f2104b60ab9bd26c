"""One device's agent: it joins outbox, delivery and link, and never forgets a row without a receipt.

Driven by `edge_agent.fleet`: `step` does what is due and says when to come back; nothing here sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.delivery import Delivery, Pace
from edge_agent.log import Log
from telemetry import __version__
from telemetry.core import codec, presence
from telemetry.core.backoff import STABLE_MS, full_jitter
from telemetry.core.topics import Topic
from telemetry.errors import BrokerUnavailable
from telemetry.mqtt import FAILED, NO_SUBSCRIBERS, TAKEN_OVER, Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox, Row
    from telemetry.mqtt import BrokerAddress

_log = Log(__name__)
FRAME_BYTES = 96 * 1024
COMPRESS_FROM = 4 * 1024
FAR = 3_600_000
CUT_LOOK_MS = 1_000


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Which device this is and how it behaves; times in ms."""

    device: str
    centre: str
    broker: BrokerAddress
    linger_ms: int = 250
    compress: bool = True
    pace: Pace = field(default_factory=Pace)
    first_retry_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the agent may not fetch itself: clocks (ms), chance in [0, 1), new ids."""

    wall: Callable[[], int]
    monotonic: Callable[[], int]
    chance: Callable[[], float]
    new_id: Callable[[], str]


class Agent:
    """One identity, one outbox, one connection. All methods but `wake_at` run in the fleet's thread."""

    def __init__(self, settings: AgentSettings, outbox: Outbox, around: Surroundings) -> None:
        self.settings = settings
        self.outbox = outbox
        self._around = around
        self._topic = Topic(settings.centre, settings.device, "up")
        self._boot = around.new_id()
        self._sid = ""
        self._delivery = Delivery(settings.pace)
        self._receipts: list[codec.Receipt] = []
        receipts = (self._topic.on("receipt").path, 0)
        self.link = Link(settings.broker, LinkSettings(settings.device, (receipts,)), self)
        self._attempt = 0
        self._retry_at = 0
        self._linked_at = 0
        self._flush_at: int | None = None
        self.receipted = 0
        self.cut = False
        """Set (from any thread) to lose the link as if a cable were pulled; cleared to have it back."""

    def appended(self, now: int) -> None:
        """Note that the outbox has new rows; they go out together after a short linger."""
        if self._flush_at is None:
            self._flush_at = now + self.settings.linger_ms

    def step(self) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
        now = self._around.monotonic()
        self._take_receipts(now)
        if self.cut:
            return self._unplugged(now)
        if self.link.fileno() < 0 and now >= self._retry_at:
            self._connect(now)
        if self.link.up:
            self._send_due(now)
        return self._next(now)

    def _unplugged(self, now: int) -> int:
        if self.link.fileno() >= 0:
            self.link.drop()
            self._delivery.unlinked(now)
        return now + CUT_LOOK_MS

    def _connect(self, now: int) -> None:
        self._sid = self._around.new_id()
        dead = presence.encode(presence.Presence(online=False, sid=self._sid))
        try:
            self.link.connect(will=(self._topic.on("state").path, dead))
        except BrokerUnavailable as error:
            self._wait(now)
            _log.info("broker_unreachable", device=self.settings.device, error=str(error), retry_at=self._retry_at)

    def _wait(self, now: int) -> None:
        self._retry_at = now + 100 + full_jitter(self._attempt, self._around.chance(), self.settings.first_retry_ms)
        self._attempt += 1

    def linked(self, *, session_present: bool) -> None:
        """Tell the world who we are."""
        del session_present
        self._linked_at = self._around.monotonic()
        self._flush_at = self._linked_at
        born = presence.Presence(
            online=True, sid=self._sid, boot=self._boot, t=self._around.wall(), agent=__version__, reason="start"
        )
        self.link.publish(self._topic.on("state").path, presence.encode(born), qos=1, retain=True)

    def unlinked(self, code: int, reason: str) -> None:
        """Plan the next connection; the longer one lasted, the sooner the next."""
        now = self._around.monotonic()
        if self._linked_at and now - self._linked_at > STABLE_MS:
            self._attempt = 0
        if code == TAKEN_OVER:
            self._attempt = 30
        self._linked_at = 0
        self._wait(now)
        self._delivery.unlinked(now)
        _log.info("link_lost", device=self.settings.device, code=code, reason=reason)

    def sent(self, mid: int, code: int) -> None:
        """Keep rows whatever the broker says; a refusal only delays the next try."""
        refused = code >= FAILED or code == NO_SUBSCRIBERS
        if refused:
            _log.warning("frame_refused", device=self.settings.device, code=code)
        self._delivery.answered(mid, self._around.monotonic(), refused=refused)

    def received(self, message: Message) -> None:
        """Put a receipt by; receipts are applied together, in one commit."""
        receipt = codec.decode_receipt(message.payload)
        if receipt is not None and receipt.spool == self.outbox.spool:
            self._receipts.append(receipt)

    def _take_receipts(self, now: int) -> None:
        receipts, self._receipts = self._receipts, []
        if not receipts:
            return
        ranges = [r for receipt in receipts for r in receipt.ranges]
        self.outbox.forget(ranges)
        self._delivery.settled(ranges)
        self.receipted += sum(high - low + 1 for low, high in ranges)
        rejected = [r for receipt in receipts for r in receipt.rejected]
        if rejected:
            self.outbox.refuse(rejected, self._around.wall())
            self._delivery.settled([(n, n) for n, _ in rejected])
        deferred = [n for receipt in receipts for n, _ in receipt.deferred]
        self._delivery.deferred(deferred, now, self._around.chance())

    def _send_due(self, now: int) -> None:
        while rows := self._delivery.overdue(now):
            kept = self.outbox.rows(rows)
            gone = set(rows) - {row.n for row in kept}
            self._delivery.settled([(n, n) for n in gone])
            if kept and not self._send(kept, now):
                return
        if self._flush_at is not None and now >= self._flush_at:
            self._send_new(now)

    def _send_new(self, now: int) -> None:
        while self._delivery.may_send():
            rows = self.outbox.after(self._delivery.cursor, self.settings.pace.rows_per_frame)
            if not rows:
                self._flush_at = None
                return
            if not self._send(rows, now):
                return

    def _send(self, rows: list[Row], now: int) -> bool:
        """Send as many of the rows as one frame takes."""
        rows = _fitting(rows)
        spool, wall = self.outbox.spool, self._around.wall()
        payload = codec.encode_frame(spool, self._boot, wall, [row.body for row in rows])
        kind = codec.CONTENT_TYPE
        if self.settings.compress and len(payload) >= COMPRESS_FROM:
            payload, kind = codec.compress(payload), kind + codec.ZLIB
        user = {"spool": spool, "from": str(rows[0].n), "to": str(rows[-1].n)}
        mid = self.link.publish(self._topic.path, payload, qos=1, content_type=kind, user=user)
        self._delivery.sent([row.n for row in rows], mid, now, self._around.chance())
        return mid is not None

    def _next(self, now: int) -> int:
        if self.link.fileno() < 0:
            return self._retry_at
        dues = [self._delivery.next_due()] if self.link.up else []
        if self._flush_at is not None and self.link.up and self._delivery.may_send():
            dues.append(self._flush_at)
        return min((due for due in dues if due is not None), default=now + FAR)

    def settled(self) -> bool:
        """Tell whether every row has its receipt."""
        return self.outbox.pending() == 0

    def close(self, reason: str = "shutdown") -> None:
        """Say good-bye properly: a planned stop is no outage."""
        if self.link.up:
            bye = presence.Presence(online=False, sid=self._sid, t=self._around.wall(), reason=reason)
            self.link.publish(self._topic.on("state").path, presence.encode(bye), qos=1, retain=True)
        self.link.disconnect()
        self.outbox.close()


def _fitting(rows: list[Row]) -> list[Row]:
    size = 0
    for i, row in enumerate(rows):
        size += len(row.body) + 1
        if i and size > FRAME_BYTES:
            return rows[:i]
    return rows
