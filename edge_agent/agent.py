"""One device's agent: it joins outbox, delivery and link, and never deletes a row without a receipt.

Driven by `edge_agent.agent_loop`: `step` does what is due and returns when to call it again; nothing here sleeps.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_agent.alarms import AlarmReporter
from edge_agent.log import Logger
from edge_agent.reconnect import ReconnectPolicy
from edge_agent.refusal_log import RefusalLog
from edge_agent.sender import TOO_LARGE, UNREADABLE, FrameSender, OutgoingFrame, read_capture_time
from edge_agent.settings import AgentSettings, Environment
from telemetry import __version__
from telemetry.core.figures.completeness import count_rows, ranges_of, subtract_ranges, union_ranges
from telemetry.core.protocol import codec, events as ev, presence
from telemetry.core.protocol.topics import Topic
from telemetry.errors import BrokerUnavailable
from telemetry.mqtt.link import FAILED, NO_SUBSCRIBERS, TAKEN_OVER, Link, LinkSettings, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.clock import ClockWatch
    from edge_agent.outbox import Outbox, OutboxRow
    from telemetry.core.figures.completeness import ClosedRanges

__all__ = ["Agent", "AgentSettings", "Environment", "RemoteHandler"]
_log = Logger(__name__)
IDLE_STEP_MS = 3_600_000
LINK_DISABLED_POLL_MS = 1_000
MAX_REPEATED_BIRTHS = 20
"""A connection repeats its birth at most so often after Wills of other connections."""
OUTBOX_ERROR_PAUSE_MS = 5_000
"""How long the agent pauses after an outbox that could not be written."""
MAX_PENDING_RECEIPTS = 200
"""Receipts that wait to be applied together, at most 120 kB each; an older one that is lost costs a resend."""
RECEIPT_TIMEOUT_MS = 600_000
"""Frames that wait this long without any receipt make the agent reconnect."""


class RemoteHandler(Protocol):
    """Handles configuration and commands; called in the loop's thread, and must return quickly."""

    def on_message(
        self,
        channel: str,
        payload: bytes,
        now: int,
        *,
        retained: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Accept a message of channel `config` or `command` with its user properties; `now` is monotonic ms."""

    def step(self, now: int) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""


@dataclass(slots=True)
class AgentCounters:
    """What the agent counted since its start."""

    connections: int = 0
    receipts: int = 0
    receipts_invalid: int = 0
    receipted_rows: int = 0
    refused_rows: int = 0
    deferred_rows: int = 0


class Agent:
    """One identity, one outbox, one connection. All methods run in the loop's thread."""

    def __init__(
        self, settings: AgentSettings, outbox: Outbox, environment: Environment, remote: RemoteHandler | None = None
    ) -> None:
        self.settings, self.outbox, self.environment, self.remote = settings, outbox, environment, remote
        self._topic = Topic(settings.centre, settings.device, "up")
        self._boot = environment.new_id()
        self._repeated_births = 0
        self._sid, self._recent_sids = "", deque[str](maxlen=64)
        self._pending_receipts = deque[codec.DeliveryReceipt](maxlen=MAX_PENDING_RECEIPTS)
        self._refusal_log = RefusalLog(settings.device)
        self.alarms = AlarmReporter(outbox, environment.wall, environment.monotonic, settings.alarms_enabled)
        self.sender = FrameSender(
            outbox,
            settings,
            environment,
            self._boot,
            self._publish_frame,
            self._set_aside,
        )
        channels = [("receipt", 0), *([("state", 0)] if settings.alarms_enabled else [])]
        channels += [("config", 1), ("command", 1)] if remote else []
        topics = tuple((self._topic.path.removesuffix("up") + channel, qos) for channel, qos in channels)
        self.link = Link(settings.broker, LinkSettings(settings.device, topics), self)
        self.link.on_subscription_refused = self._on_subscription_refused
        self._linger_ms = settings.linger_ms
        self._reconnect = ReconnectPolicy(settings.first_retry_ms)
        self._paused_until = 0
        self._flush_at: int | None = None
        self._awaiting_receipt_since: int | None = None
        self._started_at = self.last_tick_at = environment.monotonic()
        self.counters = AgentCounters()
        self.link_disabled = False
        """Set from any thread to drop the link as if the network cable were pulled; cleared to allow it again."""

    def set_pace(self, linger_ms: int | None = None, drain_rows_per_s: int | None = None) -> None:
        """Change the pace while running; None restores what the settings have."""
        self._linger_ms = self.settings.linger_ms if linger_ms is None else linger_ms
        self.sender.set_drain_rate(drain_rows_per_s or self.settings.pace.drain_rows_per_s)

    def on_rows_appended(self, now: int) -> None:
        """Note that the outbox has new rows; they are sent together after `linger_ms`."""
        if self._flush_at is None:
            self._flush_at = now + self._linger_ms

    def flush(self) -> None:
        """Send all waiting rows with the next step, even those not due."""
        self._flush_at = now = self.environment.monotonic()
        self.sender.delivery.retry_now(now)

    def step(self) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
        now = self.environment.monotonic()
        if now < self._paused_until:
            return self._paused_until
        try:
            self._run_due_work(now)
        except sqlite3.Error as error:
            self._paused_until = now + OUTBOX_ERROR_PAUSE_MS
            device, pause_ms = self.settings.device, OUTBOX_ERROR_PAUSE_MS
            _log.warning("outbox_not_written", device=device, error=str(error), again_in_ms=pause_ms)
        due = self._next_step_at(now)
        return min(due, self.remote.step(now)) if self.remote else due

    def _run_due_work(self, now: int) -> None:
        self._apply_receipts(now)
        if self.link_disabled:
            if self.link.fileno() >= 0:
                self.link.abort()
                self.sender.on_disconnected(now)
            return
        if self.link.fileno() < 0 and now >= self._reconnect.retry_at:
            self._connect(now)
        if self.link.is_connected and not self.sender.is_blocked:
            self._send_due(now)

    def tick(self) -> bool:
        """Keep link, clock and alarms up to date; called once a second. Returns whether a step is due."""
        self.link.keep_alive()
        now = self.last_tick_at = self.environment.monotonic()
        self._reconnect_without_receipts(now)
        if self.outbox.file.disk_recovered():
            self.alarms.raise_alarm("disk_full")
        self.alarms.flush()
        return self.environment.clock is not None and self._poll_clock(self.environment.clock)

    def _poll_clock(self, clock: ClockWatch) -> bool:
        """Poll the clock; returns whether it became trusted with this poll."""
        was_trusted, step_ms = clock.trusted, clock.poll()
        if step_ms is not None:
            event = ev.ClockStep(n=1, t=self.environment.wall(), step_ms=step_ms, synced=clock.sync.synced)
            self.alarms.emit(event)
        return clock.trusted and not was_trusted

    def _reconnect_without_receipts(self, now: int) -> None:
        """Reconnect when frames wait too long for any receipt: a subscription may have been lost."""
        if not (self.link.is_connected and self.sender.delivery.unreceipted_frames):
            self._awaiting_receipt_since = None
        elif self._awaiting_receipt_since is None:
            self._awaiting_receipt_since = now
        elif now - self._awaiting_receipt_since > RECEIPT_TIMEOUT_MS:
            self._awaiting_receipt_since = None
            self.link.abort()
            self.on_disconnected(0, "no receipt for long")

    def receipt_wait_ms(self) -> int:
        """Return for how long frames have waited for any receipt while connected, ms; 0 when none waits."""
        since = self._awaiting_receipt_since
        return 0 if since is None else max(0, self.environment.monotonic() - since)

    def _connect(self, now: int) -> None:
        self._sid = self.environment.new_id()
        self._recent_sids.append(self._sid)
        will = presence.encode_presence(presence.Presence(online=False, sid=self._sid))
        try:
            self.link.connect(will=(self._topic.with_channel("state").path, will))
        except BrokerUnavailable as error:
            self._reconnect.on_connect_failed(now, self.environment.chance())
            device, retry_at = self.settings.device, self._reconnect.retry_at
            _log.info("broker_unreachable", device=device, error=str(error), retry_at=retry_at)

    def on_connected(self, *, session_present: bool) -> None:
        """Publish the birth message and schedule the backlog."""
        del session_present
        self.counters.connections += 1
        self._flush_at = now = self.environment.monotonic()
        self._reconnect.on_connected(now)
        if self.environment.clock is not None:
            self.environment.clock.on_connected()
        limits = self.link.limits
        self.sender.on_connected(now, self.environment.chance(), limits)
        if restrictions := limits.restrictions():
            _log.info("broker_limits", device=self.settings.device, **restrictions)
        if self.sender.is_blocked:
            remedy = "raise the broker's Maximum Packet Size to 2000 bytes or more; the rows stay and are sent then"
            device, limit = self.settings.device, limits.max_packet_bytes
            _log.error("packet_limit_too_small", device=device, max_packet_bytes=limit, remedy=remedy)
            self.alarms.raise_alarm("packet_too_large", "connection")
        self._repeated_births = 0
        self._publish_birth("start")

    def _publish_birth(self, reason: str) -> None:
        birth = presence.Presence(
            online=True, sid=self._sid, boot=self._boot, t=self.environment.wall(), agent=__version__, reason=reason
        )
        self._publish_presence(birth)

    def _publish_presence(self, message: presence.Presence) -> None:
        topic, payload = self._topic.with_channel("state").path, presence.encode_presence(message)
        if self.link.publish(topic, payload, qos=1, retain=True) is None:
            _log.warning("presence_not_sent", device=self.settings.device, online=message.online, bytes=len(payload))

    def _on_subscription_refused(self, topic: str, code: int) -> None:
        """Report a channel that the broker does not let this device receive; it stays connected."""
        channel = topic.rpartition("/")[2]
        remedy = "let the device read its own topics in the broker's access rules"
        _log.warning("subscription_refused", device=self.settings.device, topic=topic, code=code, remedy=remedy)
        self.alarms.raise_alarm("subscription_refused", channel)

    def _set_aside(self, row: OutboxRow, size: int | None) -> None:
        """Move a row to the refused table that no frame to this broker can carry, or that is no event (size None).

        Raises sqlite3.Error.
        """
        reason, device = UNREADABLE if size is None else TOO_LARGE, self.settings.device
        self.outbox.move_to_refused([(row.n, reason)], self.environment.wall())
        self.counters.refused_rows += 1
        if size is None:
            remedy = "look at this device's disk and power; the row is in the refused table, all others are sent"
            _log.error("row_unreadable", device=device, row=row.n, remedy=remedy)
            self.alarms.raise_alarm("outbox_corrupt", "row")
            return
        remedy = "raise the broker's limit; the row is in the refused table and is sent when the broker accepts it"
        _log.warning("row_too_large", device=device, row=row.n, bytes=size, remedy=remedy)
        self.alarms.raise_alarm("packet_too_large", "row")

    def on_disconnected(self, code: int, reason: str) -> None:
        """Schedule the next connection: soon after a long connection, later after short ones."""
        now, chance = self.environment.monotonic(), self.environment.chance()
        if self._reconnect.on_disconnected(now, chance, silently=code == 0):
            self.alarms.clear("session_taken_over")
        if code == TAKEN_OVER or self._reconnect.is_takeover_suspected():
            self._reconnect.on_takeover(now, chance)
            self.alarms.raise_alarm("session_taken_over")
        self.sender.on_disconnected(now, code)
        if self.environment.clock is not None:
            self.environment.clock.on_disconnected()
        _log.info("link_lost", device=self.settings.device, code=code, reason=reason, retry_at=self._reconnect.retry_at)

    def on_puback(self, mid: int, code: int) -> None:
        """Handle the broker's answer to a frame; its rows remain in the outbox, a refusal only delays the next try."""
        refused = code >= FAILED or code == NO_SUBSCRIBERS
        now, chance = self.environment.monotonic(), self.environment.chance()
        if not self.sender.on_puback(mid, code, now, chance, refused=refused):
            return
        if refused:
            _log.warning("frame_refused", device=self.settings.device, code=code)
        self.alarms.on_puback(code, refused=refused)

    def on_message(self, message: Message) -> None:
        """Queue a receipt (the next step applies all in one commit); pass configuration and commands to `remote`."""
        channel = message.topic.rpartition("/")[2]
        if channel in {"config", "command"}:
            if self.remote is not None:
                now = self.environment.monotonic()
                properties = message.user_properties
                self.remote.on_message(channel, message.payload, now, retained=message.retain, properties=properties)
            return
        if channel == "state":
            state_message = presence.decode_presence(message.payload)
            if state_message is not None:
                self._on_presence(state_message, is_older=message.retain)
            return
        receipt = codec.decode_receipt(message.payload)
        if receipt is None:
            self._drop_receipt("unreadable")
        elif receipt.spool == self.outbox.outbox_id:
            if receipt.highest_row > self.outbox.highest_n:
                self._drop_receipt("names rows that do not exist")
            else:
                self._pending_receipts.append(receipt)

    def _on_presence(self, message: presence.Presence, *, is_older: bool) -> None:
        """Note other clients under our id; replace the Will of another connection, which replaced our retained birth.

        `is_older`: it was retained before this connection's birth.  Births are repeated only for deaths, and a birth
        causes no death: two agents with one id do not answer each other.
        """
        if message.sid not in self._recent_sids:
            self._reconnect.saw_other_session()
        is_replaced = not (message.online or is_older) and message.sid != self._sid
        if is_replaced and self.link.is_connected and self._repeated_births < MAX_REPEATED_BIRTHS:
            self._repeated_births += 1
            _log.info("late_will", device=self.settings.device, sid=message.sid, repeated=self._repeated_births)
            self._publish_birth("late_will")

    def _drop_receipt(self, problem: str) -> None:
        """Count a receipt that ingest cannot have sent; the rows stay, and are sent again until one comes."""
        self.counters.receipts_invalid += 1
        if self.counters.receipts_invalid == 1 or not self.settings.alarms_enabled:
            remedy = "find out who else may publish on this device's receipt topic"
            _log.warning("receipt_dropped", device=self.settings.device, problem=problem, remedy=remedy)
        self.alarms.raise_alarm("receipt_invalid")

    def _apply_receipts(self, now: int) -> None:
        """Apply the receipts that wait: kept while the outbox cannot be written, dropped on any other fault."""
        if not self._pending_receipts:
            return
        receipts = list(self._pending_receipts)
        try:
            self._apply(receipts, now)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - tried again it would fail again, and their rows are sent again anyway
            _log.exception("receipts_not_applied", device=self.settings.device, error=type(error).__name__)
            self._drop_receipt("cannot be applied")
        self._pending_receipts.clear()

    def _apply(self, receipts: list[codec.DeliveryReceipt], now: int) -> None:
        """Apply receipts to the rows that were handed out and wait for one; they say nothing about any other row."""
        delivery, chance = self.sender.delivery, self.environment.chance()
        ranges = union_ranges(*(receipt.ranges for receipt in receipts))
        stored = delivery.waiting_rows(ranges)
        rejected = self._waiting_of([row for receipt in receipts for row in receipt.rejected], stored)
        rejected_rows = ranges_of(n for n, _ in rejected)
        deferred = self._waiting_of(
            [row for receipt in receipts for row in receipt.deferred], union_ranges(stored, rejected_rows)
        )
        if stored:
            self.outbox.delete_receipted(stored)
        if rejected:
            self.outbox.move_to_refused(rejected, self.environment.wall())
        delivery.on_receipt(union_ranges(stored, rejected_rows))
        if stored:
            delivery.on_accepted(now)
        self.sender.defer(deferred, now, chance)
        self._refusal_log.write(receipts, now)
        self._awaiting_receipt_since = None
        counters = self.counters
        counters.receipts += len(receipts)
        counters.receipted_rows += count_rows(stored)
        counters.refused_rows += len(rejected)
        counters.deferred_rows += len(deferred)

    def _waiting_of(self, rows: list[tuple[int, str]], settled: ClosedRanges) -> list[tuple[int, str]]:
        """Return each of the rows once that waits for a receipt, but not those that are settled."""
        if not rows:
            return []
        reasons = dict(rows)
        waiting = subtract_ranges(self.sender.delivery.waiting_rows(ranges_of(reasons)), settled)
        return [(n, reasons[n]) for low, high in waiting for n in range(low, high + 1)]

    def _send_due(self, now: int) -> None:
        chance = self.environment.chance()
        self.sender.reset_if_outbox_replaced(now, chance)
        self.sender.restore_rows(now)
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
        if not self.link.is_connected or self.sender.is_blocked:
            return now + IDLE_STEP_MS
        dues = [self.sender.next_due(now), self._paused_until if self._paused_until > now else None]
        if self._flush_at is not None and self.sender.delivery.may_send():
            dues.append(self._flush_at)
        return min((due for due in dues if due is not None), default=now + IDLE_STEP_MS)

    def diagnostics_event(self, sources: int = 0, config_version: int = 0) -> ev.AgentDiagnostics:
        """Return the agent's own figures as an event; the caller passes `sources` and `config_version`."""
        return ev.AgentDiagnostics(
            n=1,
            t=self.environment.wall(),
            outbox_rows=self.outbox.pending_count(),
            outbox_bytes=self.outbox.size_bytes,
            oldest_ms=self.oldest_row_age_ms(),
            refused=self.outbox.refused_count(),
            dropped=self.outbox.dropped_count,
            rss_bytes=self.environment.rss(),
            uptime_s=max(0, self.environment.monotonic() - self._started_at) // 1000,
            reconnects=max(0, self.counters.connections - 1),
            sources=sources,
            config_version=config_version,
        )

    def oldest_row_age_ms(self) -> int:
        """Return how long ago the oldest unreceipted row was captured, ms."""
        after = 0
        while rows := self.outbox.rows_after(after, 1):
            after, captured_at = rows[0].n, read_capture_time(rows[0])
            if captured_at is not None:
                return max(0, self.environment.wall() - captured_at)
        return 0

    def all_receipted(self) -> bool:
        """Return whether every row has its receipt."""
        return self.outbox.pending_count() == 0

    def close(self, reason: str = "shutdown") -> None:
        """Publish a death message with the reason, then disconnect: a planned stop is no outage."""
        if self.link.is_connected:
            death = presence.Presence(online=False, sid=self._sid, t=self.environment.wall(), reason=reason)
            self._publish_presence(death)
        self.link.disconnect()
        with suppress(sqlite3.Error):  # without it the next process sends these rows once more
            self.outbox.save_handed_out(self.sender.delivery.handed_out())
        self.outbox.close()
