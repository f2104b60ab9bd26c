"""One device's agent: it joins outbox, delivery and link, and never forgets a row without a receipt.

Driven by `edge_agent.fleet`: `step` does what is due and says when to come back; nothing here sleeps.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import TYPE_CHECKING

from edge_agent.alarms import Alarms
from edge_agent.log import Log
from edge_agent.reconnect import Reconnect
from edge_agent.sender import Frame, Sending
from edge_agent.settings import AgentSettings, Remote, Surroundings
from telemetry import __version__
from telemetry.core.protocol import codec, events as ev, presence
from telemetry.core.protocol.topics import Topic
from telemetry.errors import BrokerUnavailable
from telemetry.mqtt.link import FAILED, NO_SUBSCRIBERS, TAKEN_OVER, Link, LinkSettings, Message

if TYPE_CHECKING:
    from edge_agent.clock import ClockWatch
    from edge_agent.outbox import Outbox

__all__ = ["Agent", "AgentSettings", "Remote", "Surroundings"]
_log = Log(__name__)
FAR = 3_600_000
CUT_LOOK_MS = 1_000
PAUSE_MS = 5_000  # an outbox that could not be written is left alone for so long
RECEIPTS_LATE_MS = 600_000  # frames that wait so long without any receipt make the agent connect afresh


class Agent:
    """One identity, one outbox, one connection. All methods run in the fleet's thread."""

    def __init__(
        self, settings: AgentSettings, outbox: Outbox, around: Surroundings, remote: Remote | None = None
    ) -> None:
        self.settings, self.outbox, self.remote = settings, outbox, remote
        self._around = around
        self._topic = Topic(settings.centre, settings.device, "up")
        self._boot = around.new_id()
        self._sid, self._sids = "", deque[str](maxlen=64)
        self._receipts: list[codec.Receipt] = []
        self.alarms = Alarms(outbox, around.wall, around.monotonic, settings.alarms)
        self.sending = Sending(outbox, settings, around, self._boot, self._publish)
        self.link = Link(settings.broker, LinkSettings(settings.device, self._subscriptions()), self)
        self._linger_ms = settings.linger_ms
        self._again = Reconnect(settings.first_retry_ms)
        self._paused_until = 0
        self._flush_at: int | None = None
        self._waiting_since: int | None = None
        self._began = around.monotonic()
        self.ticked_at = self._began
        self.receipted = self.receipts = self.refused = self.deferred = self.connections = 0
        self.cut = False
        """Set (from any thread) to lose the link as if a cable were pulled; cleared to have it back."""

    def attach(self, remote: Remote) -> None:
        """Have configuration and commands followed; before the agent's first step."""
        self.remote = remote
        self.link = Link(self.settings.broker, LinkSettings(self.settings.device, self._subscriptions()), self)

    def tune(self, linger_ms: int | None = None, drain_rows_per_s: int | None = None) -> None:
        """Change the pace while running; None is what the settings say."""
        self._linger_ms = self.settings.linger_ms if linger_ms is None else linger_ms
        self.sending.drain_at(drain_rows_per_s or self.settings.pace.drain_rows_per_s)

    def _subscriptions(self) -> tuple[tuple[str, int], ...]:
        wanted = [("receipt", 0), *([("state", 0)] if self.settings.alarms else [])]
        wanted += [("config", 1), ("command", 1)] if self.remote else []
        start = self._topic.path.removesuffix("up")
        return tuple((start + channel, qos) for channel, qos in wanted)

    def appended(self, now: int) -> None:
        """Note that the outbox has new rows; they go out together after a short linger."""
        if self._flush_at is None:
            self._flush_at = now + self._linger_ms

    def flush(self) -> None:
        """Send everything with the next step, whatever it waits for."""
        self._flush_at = now = self._around.monotonic()
        self.sending.delivery.hurry(now)

    def step(self) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
        now = self._around.monotonic()
        if now < self._paused_until:
            return self._paused_until
        try:
            self._do_due(now)
        except sqlite3.Error as error:
            self._paused_until = now + PAUSE_MS
            _log.warning("outbox_not_written", device=self.settings.device, error=str(error), again_in_ms=PAUSE_MS)
        due = self._next(now)
        return min(due, self.remote.step(now)) if self.remote else due

    def _do_due(self, now: int) -> None:
        self._take_receipts(now)
        if self.cut:
            self._unplug(now)
            return
        if self.link.fileno() < 0 and now >= self._again.at:
            self._connect(now)
        if self.link.up:
            self._send_due(now)

    def tick(self) -> bool:
        """Look after link, clock and troubles; called once a second. Tells whether a step is due."""
        self.link.tick()
        now = self.ticked_at = self._around.monotonic()
        self._ask_for_receipts(now)
        if self.outbox.file.room_again():
            self.alarms.raised("disk_full")
        self.alarms.tell()
        return self._around.clock is not None and self._look(self._around.clock)

    def _look(self, clock: ClockWatch) -> bool:
        """Follow the clock; tells whether it became trustworthy just now."""
        before, by = clock.trusted, clock.look()
        if by is not None:
            said = ev.ClockStep(n=1, t=self._around.wall(), step_ms=by, synced=clock.sync.synced)
            self.alarms.say(said)
        return clock.trusted and not before

    def _ask_for_receipts(self, now: int) -> None:
        """Connect afresh when frames wait too long for any receipt: a subscription may have been lost."""
        if not (self.link.up and self.sending.delivery.waiting):
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > RECEIPTS_LATE_MS:
            self._waiting_since = None
            self.link.drop()
            self.unlinked(0, "no receipt for long")

    def unanswered_ms(self) -> int:
        """Return for how long frames have waited for any receipt while the link stands, ms."""
        since = self._waiting_since
        return 0 if since is None else max(0, self._around.monotonic() - since)

    def _unplug(self, now: int) -> None:
        if self.link.fileno() >= 0:
            self.link.drop()
            self.sending.delivery.unlinked(now)

    def _connect(self, now: int) -> None:
        self._sid = self._around.new_id()
        self._sids.append(self._sid)
        dead = presence.encode(presence.Presence(online=False, sid=self._sid))
        try:
            self.link.connect(will=(self._topic.on("state").path, dead))
        except BrokerUnavailable as error:
            self._again.failed(now, self._around.chance())
            _log.info("broker_unreachable", device=self.settings.device, error=str(error), retry_at=self._again.at)

    def linked(self, *, session_present: bool) -> None:
        """Tell the world who we are."""
        del session_present
        self.connections += 1
        self._flush_at = now = self._around.monotonic()
        self._again.linked(now)
        if self._around.clock is not None:
            self._around.clock.linked()
        self.sending.linked(now, self._around.chance())
        born = presence.Presence(
            online=True, sid=self._sid, boot=self._boot, t=self._around.wall(), agent=__version__, reason="start"
        )
        self.link.publish(self._topic.on("state").path, presence.encode(born), qos=1, retain=True)

    def unlinked(self, code: int, reason: str) -> None:
        """Plan the next connection; the longer one lasted, the sooner the next."""
        now, chance = self._around.monotonic(), self._around.chance()
        if self._again.lost(now, chance, silently=code == 0):
            self.alarms.over("session_taken_over")
        if code == TAKEN_OVER or self._again.suspected():
            self._again.taken_over(now, chance)
            self.alarms.raised("session_taken_over")
        self.sending.delivery.unlinked(now)
        if self._around.clock is not None:
            self._around.clock.unlinked()
        _log.info("link_lost", device=self.settings.device, code=code, reason=reason, retry_at=self._again.at)

    def sent(self, mid: int, code: int) -> None:
        """Keep rows whatever the broker says; a refusal only delays the next try."""
        refused = code >= FAILED or code == NO_SUBSCRIBERS
        if not self.sending.delivery.answered(mid, self._around.monotonic(), refused=refused):
            return
        if refused:
            _log.warning("frame_refused", device=self.settings.device, code=code)
        self.alarms.answered(code, refused=refused)

    def received(self, message: Message) -> None:
        """Put a receipt by (receipts are applied together, in one commit); hand the rest to `remote`."""
        channel = message.topic.rpartition("/")[2]
        if channel in {"config", "command"}:
            if self.remote is not None:
                self.remote.received(channel, message.payload, self._around.monotonic(), retained=message.retain)
            return
        if channel == "state":
            said = presence.decode(message.payload)
            if said is not None and said.sid not in self._sids:
                self._again.met_another()
            return
        receipt = codec.decode_receipt(message.payload)
        if receipt is not None and receipt.spool == self.outbox.spool:
            self._receipts.append(receipt)

    def _take_receipts(self, now: int) -> None:
        if not self._receipts:
            return
        receipts, delivery, chance = self._receipts, self.sending.delivery, self._around.chance()
        ranges = [r for receipt in receipts for r in receipt.ranges]
        rejected = [r for receipt in receipts for r in receipt.rejected]
        self.outbox.forget(ranges)
        if rejected:
            self.outbox.refuse(rejected, self._around.wall())
        self._receipts = []
        delivery.settled([*ranges, *((n, n) for n, _ in rejected)])
        if ranges:
            delivery.welcomed(now)
        self.sending.deferred([r for receipt in receipts for r in receipt.deferred], now, chance)
        self._waiting_since = None
        self.receipts += len(receipts)
        self.receipted += sum(high - low + 1 for low, high in ranges)
        self.refused += len(rejected)
        self.deferred += sum(len(receipt.deferred) for receipt in receipts)

    def _send_due(self, now: int) -> None:
        chance = self._around.chance()
        self.sending.renewed(now, chance)
        if self.sending.put_right() or not self.sending.resend(now, chance):
            return
        self.sending.release()
        if self._flush_at is not None and now >= self._flush_at and self.sending.live(now, chance):
            self._flush_at = None
        self.sending.drain(now, chance)

    def _publish(self, frame: Frame) -> int | None:
        return self.link.publish(
            self._topic.path, frame.payload, qos=1, content_type=frame.content_type, user=frame.user
        )

    def _next(self, now: int) -> int:
        if self.cut:
            return now + CUT_LOOK_MS
        if self.link.fileno() < 0:
            return self._again.at
        if not self.link.up:
            return now + FAR
        dues = [self.sending.next_due(now), self._paused_until if self._paused_until > now else None]
        if self._flush_at is not None and self.sending.delivery.may_send():
            dues.append(self._flush_at)
        return min((due for due in dues if due is not None), default=now + FAR)

    @property
    def clock(self) -> ClockWatch | None:
        """Return what is known of the machine's clock."""
        return self._around.clock

    def rss(self) -> int:
        """Return the memory in use, bytes."""
        return self._around.rss()

    def diagnostics(self, sources: int = 0, config_version: int = 0) -> ev.AgentDiagnostics:
        """Return the agent's own figures as an event."""
        return ev.AgentDiagnostics(
            n=1,
            t=self._around.wall(),
            outbox_rows=self.outbox.pending(),
            outbox_bytes=self.outbox.size_bytes,
            oldest_ms=self.oldest_ms(),
            refused=self.outbox.refused(),
            dropped=self.outbox.dropped,
            rss_bytes=self._around.rss(),
            uptime_s=max(0, self._around.monotonic() - self._began) // 1000,
            reconnects=max(0, self.connections - 1),
            sources=sources,
            config_version=config_version,
        )

    def oldest_ms(self) -> int:
        """Return how long ago the oldest unreceipted row was captured, ms."""
        rows = self.outbox.after(0, 1)
        return max(0, self._around.wall() - codec.decode_event(rows[0].body).t) if rows else 0

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
