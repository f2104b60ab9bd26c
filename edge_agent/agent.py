"""One device's agent: it joins outbox, delivery and link, and never forgets a row without a receipt.

Driven by `edge_agent.fleet`: `step` does what is due and says when to come back; nothing here sleeps.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import TYPE_CHECKING

from edge_agent.alarms import AlarmReporter
from edge_agent.log import Logger
from edge_agent.reconnect import ReconnectPolicy
from edge_agent.sender import FrameSender, OutgoingFrame
from edge_agent.settings import AgentSettings, Environment, RemoteHandler
from telemetry import __version__
from telemetry.core.protocol import codec, events as ev, presence
from telemetry.core.protocol.topics import Topic
from telemetry.errors import BrokerUnavailable
from telemetry.mqtt.link import FAILED, NO_SUBSCRIBERS, TAKEN_OVER, Link, LinkSettings, Message

if TYPE_CHECKING:
    from edge_agent.clock import ClockWatch
    from edge_agent.outbox import Outbox

__all__ = ["Agent", "AgentSettings", "Environment", "RemoteHandler"]
_log = Logger(__name__)
IDLE_STEP_MS = 3_600_000
LINK_DISABLED_POLL_MS = 1_000
OUTBOX_ERROR_PAUSE_MS = 5_000  # an outbox that could not be written is left alone for so long
RECEIPT_TIMEOUT_MS = 600_000  # frames that wait so long without any receipt make the agent connect afresh


class Agent:
    """One identity, one outbox, one connection. All methods run in the fleet's thread."""

    def __init__(
        self, settings: AgentSettings, outbox: Outbox, environment: Environment, remote: RemoteHandler | None = None
    ) -> None:
        self.settings, self.outbox, self.remote = settings, outbox, remote
        self._environment = environment
        self._topic = Topic(settings.centre, settings.device, "up")
        self._boot = environment.new_id()
        self._sid, self._recent_sids = "", deque[str](maxlen=64)
        self._pending_receipts: list[codec.DeliveryReceipt] = []
        self.alarms = AlarmReporter(outbox, environment.wall, environment.monotonic, settings.alarms_enabled)
        self.sender = FrameSender(outbox, settings, environment, self._boot, self._publish_frame)
        self.link = Link(settings.broker, LinkSettings(settings.device, self._subscriptions()), self)
        self._linger_ms = settings.linger_ms
        self._reconnect = ReconnectPolicy(settings.first_retry_ms)
        self._paused_until = 0
        self._flush_at: int | None = None
        self._awaiting_receipt_since: int | None = None
        self._started_at = environment.monotonic()
        self.last_tick_at = self._started_at
        self.receipted_rows = self.receipt_count = self.refused_rows = self.deferred_rows = self.connection_count = 0
        self.link_disabled = False
        """Set (from any thread) to lose the link as if a cable were pulled; cleared to have it back."""

    def attach_remote(self, remote: RemoteHandler) -> None:
        """Have configuration and commands followed; before the agent's first step."""
        self.remote = remote
        self.link = Link(self.settings.broker, LinkSettings(self.settings.device, self._subscriptions()), self)

    def set_pace(self, linger_ms: int | None = None, drain_rows_per_s: int | None = None) -> None:
        """Change the pace while running; None is what the settings say."""
        self._linger_ms = self.settings.linger_ms if linger_ms is None else linger_ms
        self.sender.set_drain_rate(drain_rows_per_s or self.settings.pace.drain_rows_per_s)

    def _subscriptions(self) -> tuple[tuple[str, int], ...]:
        channels = [("receipt", 0), *([("state", 0)] if self.settings.alarms_enabled else [])]
        channels += [("config", 1), ("command", 1)] if self.remote else []
        start = self._topic.path.removesuffix("up")
        return tuple((start + channel, qos) for channel, qos in channels)

    def on_rows_appended(self, now: int) -> None:
        """Note that the outbox has new rows; they go out together after a short linger."""
        if self._flush_at is None:
            self._flush_at = now + self._linger_ms

    def flush(self) -> None:
        """Send everything with the next step, whatever it waits for."""
        self._flush_at = now = self._environment.monotonic()
        self.sender.delivery.retry_now(now)

    def step(self) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
        now = self._environment.monotonic()
        if now < self._paused_until:
            return self._paused_until
        try:
            self._run_due_work(now)
        except sqlite3.Error as error:
            self._paused_until = now + OUTBOX_ERROR_PAUSE_MS
            _log.warning(
                "outbox_not_written", device=self.settings.device, error=str(error), again_in_ms=OUTBOX_ERROR_PAUSE_MS
            )
        due = self._next_step_at(now)
        return min(due, self.remote.step(now)) if self.remote else due

    def _run_due_work(self, now: int) -> None:
        self._apply_receipts(now)
        if self.link_disabled:
            self._drop_link(now)
            return
        if self.link.fileno() < 0 and now >= self._reconnect.retry_at:
            self._connect(now)
        if self.link.is_connected:
            self._send_due(now)

    def tick(self) -> bool:
        """Look after link, clock and troubles; called once a second. Tells whether a step is due."""
        self.link.keep_alive()
        now = self.last_tick_at = self._environment.monotonic()
        self._reconnect_without_receipts(now)
        if self.outbox.file.disk_recovered():
            self.alarms.raise_alarm("disk_full")
        self.alarms.flush()
        return self._environment.clock is not None and self._poll_clock(self._environment.clock)

    def _poll_clock(self, clock: ClockWatch) -> bool:
        """Follow the clock; tells whether it became trustworthy just now."""
        was_trusted, step_ms = clock.trusted, clock.poll()
        if step_ms is not None:
            event = ev.ClockStep(n=1, t=self._environment.wall(), step_ms=step_ms, synced=clock.sync.synced)
            self.alarms.emit(event)
        return clock.trusted and not was_trusted

    def _reconnect_without_receipts(self, now: int) -> None:
        """Connect afresh when frames wait too long for any receipt: a subscription may have been lost."""
        if not (self.link.is_connected and self.sender.delivery.unreceipted_frames):
            self._awaiting_receipt_since = None
        elif self._awaiting_receipt_since is None:
            self._awaiting_receipt_since = now
        elif now - self._awaiting_receipt_since > RECEIPT_TIMEOUT_MS:
            self._awaiting_receipt_since = None
            self.link.abort()
            self.on_disconnected(0, "no receipt for long")

    def receipt_wait_ms(self) -> int:
        """Return for how long frames have waited for any receipt while the link stands, ms."""
        since = self._awaiting_receipt_since
        return 0 if since is None else max(0, self._environment.monotonic() - since)

    def _drop_link(self, now: int) -> None:
        if self.link.fileno() >= 0:
            self.link.abort()
            self.sender.delivery.on_disconnected(now)

    def _connect(self, now: int) -> None:
        self._sid = self._environment.new_id()
        self._recent_sids.append(self._sid)
        will = presence.encode_presence(presence.Presence(online=False, sid=self._sid))
        try:
            self.link.connect(will=(self._topic.with_channel("state").path, will))
        except BrokerUnavailable as error:
            self._reconnect.on_connect_failed(now, self._environment.chance())
            _log.info(
                "broker_unreachable", device=self.settings.device, error=str(error), retry_at=self._reconnect.retry_at
            )

    def on_connected(self, *, session_present: bool) -> None:
        """Tell the world who we are."""
        del session_present
        self.connection_count += 1
        self._flush_at = now = self._environment.monotonic()
        self._reconnect.on_connected(now)
        if self._environment.clock is not None:
            self._environment.clock.on_connected()
        self.sender.on_connected(now, self._environment.chance())
        birth = presence.Presence(
            online=True, sid=self._sid, boot=self._boot, t=self._environment.wall(), agent=__version__, reason="start"
        )
        self.link.publish(self._topic.with_channel("state").path, presence.encode_presence(birth), qos=1, retain=True)

    def on_disconnected(self, code: int, reason: str) -> None:
        """Plan the next connection; the longer one lasted, the sooner the next."""
        now, chance = self._environment.monotonic(), self._environment.chance()
        if self._reconnect.on_disconnected(now, chance, silently=code == 0):
            self.alarms.clear("session_taken_over")
        if code == TAKEN_OVER or self._reconnect.is_takeover_suspected():
            self._reconnect.on_takeover(now, chance)
            self.alarms.raise_alarm("session_taken_over")
        self.sender.delivery.on_disconnected(now)
        if self._environment.clock is not None:
            self._environment.clock.on_disconnected()
        _log.info("link_lost", device=self.settings.device, code=code, reason=reason, retry_at=self._reconnect.retry_at)

    def on_puback(self, mid: int, code: int) -> None:
        """Keep rows whatever the broker says; a refusal only delays the next try."""
        refused = code >= FAILED or code == NO_SUBSCRIBERS
        if not self.sender.delivery.on_puback(mid, self._environment.monotonic(), refused=refused):
            return
        if refused:
            _log.warning("frame_refused", device=self.settings.device, code=code)
        self.alarms.on_puback(code, refused=refused)

    def on_message(self, message: Message) -> None:
        """Put a receipt by (receipts are applied together, in one commit); hand the rest to `remote`."""
        channel = message.topic.rpartition("/")[2]
        if channel in {"config", "command"}:
            if self.remote is not None:
                self.remote.on_message(channel, message.payload, self._environment.monotonic(), retained=message.retain)
            return
        if channel == "state":
            state_message = presence.decode_presence(message.payload)
            if state_message is not None and state_message.sid not in self._recent_sids:
                self._reconnect.saw_other_session()
            return
        receipt = codec.decode_receipt(message.payload)
        if receipt is not None and receipt.spool == self.outbox.outbox_id:
            self._pending_receipts.append(receipt)

    def _apply_receipts(self, now: int) -> None:
        if not self._pending_receipts:
            return
        receipts, delivery, chance = self._pending_receipts, self.sender.delivery, self._environment.chance()
        ranges = [r for receipt in receipts for r in receipt.ranges]
        rejected = [r for receipt in receipts for r in receipt.rejected]
        self.outbox.delete_receipted(ranges)
        if rejected:
            self.outbox.move_to_refused(rejected, self._environment.wall())
        self._pending_receipts = []
        delivery.on_receipt([*ranges, *((n, n) for n, _ in rejected)])
        if ranges:
            delivery.on_accepted(now)
        self.sender.defer([r for receipt in receipts for r in receipt.deferred], now, chance)
        self._awaiting_receipt_since = None
        self.receipt_count += len(receipts)
        self.receipted_rows += sum(high - low + 1 for low, high in ranges)
        self.refused_rows += len(rejected)
        self.deferred_rows += sum(len(receipt.deferred) for receipt in receipts)

    def _send_due(self, now: int) -> None:
        chance = self._environment.chance()
        self.sender.reset_if_outbox_replaced(now, chance)
        if self.sender.repair_timestamps() or not self.sender.resend_due(now, chance):
            return
        self.sender.resume_held_rows()
        if self._flush_at is not None and now >= self._flush_at and self.sender.send_live(now, chance):
            self._flush_at = None
        self.sender.drain_backlog(now, chance)

    def _publish_frame(self, frame: OutgoingFrame) -> int | None:
        return self.link.publish(
            self._topic.path, frame.payload, qos=1, content_type=frame.content_type, user=frame.user_properties
        )

    def _next_step_at(self, now: int) -> int:
        if self.link_disabled:
            return now + LINK_DISABLED_POLL_MS
        if self.link.fileno() < 0:
            return self._reconnect.retry_at
        if not self.link.is_connected:
            return now + IDLE_STEP_MS
        dues = [self.sender.next_due(now), self._paused_until if self._paused_until > now else None]
        if self._flush_at is not None and self.sender.delivery.may_send():
            dues.append(self._flush_at)
        return min((due for due in dues if due is not None), default=now + IDLE_STEP_MS)

    @property
    def clock(self) -> ClockWatch | None:
        """Return what is known of the machine's clock."""
        return self._environment.clock

    def rss(self) -> int:
        """Return the memory in use, bytes."""
        return self._environment.rss()

    def diagnostics_event(self, sources: int = 0, config_version: int = 0) -> ev.AgentDiagnostics:
        """Return the agent's own figures as an event."""
        return ev.AgentDiagnostics(
            n=1,
            t=self._environment.wall(),
            outbox_rows=self.outbox.pending_count(),
            outbox_bytes=self.outbox.size_bytes,
            oldest_ms=self.oldest_row_age_ms(),
            refused=self.outbox.refused_count(),
            dropped=self.outbox.dropped_count,
            rss_bytes=self._environment.rss(),
            uptime_s=max(0, self._environment.monotonic() - self._started_at) // 1000,
            reconnects=max(0, self.connection_count - 1),
            sources=sources,
            config_version=config_version,
        )

    def oldest_row_age_ms(self) -> int:
        """Return how long ago the oldest unreceipted row was captured, ms."""
        rows = self.outbox.rows_after(0, 1)
        return max(0, self._environment.wall() - codec.decode_event(rows[0].body).t) if rows else 0

    def all_receipted(self) -> bool:
        """Tell whether every row has its receipt."""
        return self.outbox.pending_count() == 0

    def close(self, reason: str = "shutdown") -> None:
        """Say good-bye properly: a planned stop is no outage."""
        if self.link.is_connected:
            death = presence.Presence(online=False, sid=self._sid, t=self._environment.wall(), reason=reason)
            self.link.publish(
                self._topic.with_channel("state").path, presence.encode_presence(death), qos=1, retain=True
            )
        self.link.disconnect()
        self.outbox.close()
