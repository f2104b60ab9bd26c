"""Packs rows into frames that the broker accepts: live rows first, then the backlog.

Unsure times are repaired or finalised before.  It must not decide when rows are sent: `edge_agent.delivery` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from edge_agent.delivery import Delivery
from edge_agent.outbox import OutboxRow, UnsureTimestamps
from edge_agent.packet_budget import SIZE_REFUSALS, SMALL_ROW_BYTES, PacketBudget
from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.topics import Topic
from telemetry.mqtt.broker_limits import BrokerLimits
from telemetry.mqtt.link import FAILED
from telemetry.mqtt.packets import publish_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox
    from edge_agent.settings import AgentSettings, Environment

FRAME_TARGET_BYTES = 96 * 1024
COMPRESS_MIN_BYTES = 4 * 1024
DEVICE_WIDE_REASONS = frozenset({"unknown_device", "unknown_centre", "unsupported_version"})
"""Reasons that apply to every row of a device."""
UNREADABLE = "unreadable"
"""Why a row is in the refused table whose body is not what was stored: a power cut or another program changed it."""
TOO_LARGE = "too_large_for_broker"
"""Why a row is in the refused table that no receipt rejected: its frame is larger than the broker accepts."""
USUAL_ROW_BYTES = 160
"""A broker that does not accept a frame with one row of this size is of no use: nothing is sent to it."""
SPLIT_RETRY_MS = 1_000
"""When the rows of a frame that was refused for its size are sent again, in smaller frames."""


@dataclass(frozen=True, slots=True)
class OutgoingFrame:
    """One message's content and the row numbers in it."""

    payload: bytes
    content_type: str
    user_properties: dict[str, str]
    row_numbers: list[int]


class FrameSender:
    """Sends what `Delivery` decides from the outbox; `publish` sends a frame and returns its message id, or None."""

    def __init__(
        self,
        outbox: Outbox,
        settings: AgentSettings,
        environment: Environment,
        boot: str,
        publish: Callable[[OutgoingFrame], int | None],
        set_aside: Callable[[OutboxRow, int | None], None] = lambda _row, _size: None,
    ) -> None:
        """Nothing is sent before `on_connected`.

        `set_aside` takes a row out of the outbox whose packet, of this size, the broker does not accept, or whose body
        is not what was stored (None).
        """
        self._outbox, self._boot, self._publish, self._wall = outbox, boot, publish, environment.wall
        self._clock = environment.clock
        self._unsure_timestamps = UnsureTimestamps(outbox, environment.clock.boot) if environment.clock else None
        self._pace, self._compress = settings.pace, settings.compress
        self._topic, self._set_aside = Topic(settings.centre, settings.device, "up").path, set_aside
        self._limits, self._budget, self._packet_sizes = BrokerLimits(), PacketBudget(), dict[int, int]()
        self._checked_until = outbox.highest_n
        self._may_restore_rows = False
        self.is_blocked = False
        """Whether the broker accepts no frame at all, not even with one usual row."""
        self._generation = outbox.file.generation
        self._holding_rows = False
        self._may_have_unsure_rows = True
        self.delivery = Delivery(settings.pace)
        self.delivery.restore_handed_out(outbox.handed_out())
        self.frames_sent = 0
        if self._unsure_timestamps:
            self._unsure_timestamps.accept_earlier_boots()

    def on_connected(self, now: int, chance: float, limits: BrokerLimits | None = None) -> None:
        """Start a new connection to a broker with these limits (None: those of the last one)."""
        self._limits = limits or self._limits
        self._budget.announced = self._limits.max_packet_bytes
        self.is_blocked = self._packet_size(self._build_frame([OutboxRow(1, bytes(range(USUAL_ROW_BYTES)))])) > (
            self._limits.max_packet_bytes
        )
        self._may_restore_rows = not self.is_blocked
        self._apply_pace()
        self._holding_rows = self._clock_hold_limit() is not None
        self.delivery.on_connected(now, self._send_limit(), chance)

    def _apply_pace(self) -> None:
        """Send no more at once than the broker's Receive Maximum; one place is left for a birth."""
        in_flight = max(1, min(self._pace.max_in_flight, self._limits.receive_maximum - 1))
        self.delivery.pace = replace(self._pace, max_in_flight=in_flight)

    def on_disconnected(self, now: int, code: int | None = None) -> None:
        """Note the end of a connection; `code` is the broker's reason, 0 without one, None when it was not lost."""
        if self._packet_sizes and code is not None:
            self._budget.on_closed(code, max(self._packet_sizes.values()))
        self._packet_sizes.clear()
        self.delivery.on_disconnected(now)

    def on_puback(self, mid: int, code: int, now: int, chance: float, *, refused: bool) -> bool:
        """Note the broker's answer to a message; returns whether it was a frame.

        A frame refused for what may be its size is sent again in smaller ones, or its only row is set aside when the
        size is certain; otherwise a row alone is deferred.  A usual row alone is not refused for its size: it is sent
        again as after any other refusal.
        """
        size, rows = self._packet_sizes.pop(mid, 0), self.delivery.rows_in_flight(mid)
        for_size = refused and code in SIZE_REFUSALS and (len(rows) > 1 or size > SMALL_ROW_BYTES)
        if for_size:
            self._budget.on_refused(code, size)
        elif code < FAILED:
            self._budget.on_accepted(size)
        can_be_cut = len(rows) > 1 or not self._budget.row_fits(size)
        retry_in_ms = SPLIT_RETRY_MS if for_size and can_be_cut else None
        was_frame = self.delivery.on_puback(mid, now, refused=refused, retry_in_ms=retry_in_ms)
        if for_size and not can_be_cut:
            self.delivery.defer(rows, now, chance)
        return was_frame

    def restore_rows(self, now: int) -> None:
        """Send rows again that were set aside because another broker, or an earlier limit, did not accept them."""
        if not self._may_restore_rows:
            return
        rows = [row for row in self._outbox.refused_rows(TOO_LARGE) if self._pack([row]) is not None]
        if rows:
            self._outbox.restore_refused(rows)
            self.delivery.make_due([row.n for row in rows], now)
        self._may_restore_rows = False

    def _clock_hold_limit(self) -> int | None:
        """Return the last row that may be sent while the clock is unsure, None when all may."""
        if self._clock is None or self._unsure_timestamps is None or not self._clock.hold_remaining_ms():
            return None
        first_unsure = self._unsure_timestamps.first_unsure()
        return None if first_unsure is None else first_unsure - 1

    def _send_limit(self) -> int:
        hold_limit = self._clock_hold_limit()
        return self._outbox.highest_n if hold_limit is None else hold_limit

    def set_drain_rate(self, rows_per_s: int) -> None:
        """Change the backlog's rate."""
        self._pace = replace(self._pace, drain_rows_per_s=rows_per_s)
        self._apply_pace()

    def repair_timestamps(self) -> bool:
        """Repair some unsure times once the clock is trusted; returns whether more may remain. Raises sqlite3.Error."""
        if not (self._may_have_unsure_rows and self._clock and self._unsure_timestamps and self._clock.trusted):
            return False
        self._may_have_unsure_rows = self._unsure_timestamps.repair(self._clock.offset) > 0
        return self._may_have_unsure_rows

    def resume_held_rows(self) -> None:
        """Assign rows that waited for the clock to the backlog once they may be sent."""
        if self._holding_rows and self._clock_hold_limit() is None:
            self._holding_rows = False
            self.delivery.add_backlog(self._outbox.highest_n)

    def reset_if_outbox_replaced(self, now: int, chance: float) -> None:
        """Start over when a damaged outbox was replaced: its rows may have other ids."""
        if self._outbox.file.generation != self._generation:
            self._generation, self._checked_until = self._outbox.file.generation, self._outbox.highest_n
            self.delivery = Delivery(self._pace)
            self.on_connected(now, chance)

    def resend_due(self, now: int, chance: float) -> bool:
        """Send frames that are due again; returns whether the link still accepts frames."""
        while numbers := self.delivery.due_resends(now):
            rows = self._outbox.rows_by_number(numbers)
            missing = set(numbers) - {row.n for row in rows}
            self.delivery.forget(missing)
            if rows and not self._send_frame(rows, now, chance):
                return False
        return True

    def send_live(self, now: int, chance: float) -> bool:
        """Send new rows; returns whether all were sent."""
        hold_limit = self._clock_hold_limit()
        self._holding_rows = hold_limit is not None
        while self.delivery.may_send():
            rows = self._outbox.rows_after(self.delivery.cursor, self._pace.rows_per_frame, hold_limit)
            if not rows:
                return True
            sent = self._send_frame(rows, now, chance)
            if not sent:
                return False
            self.delivery.record_live_sent(sent[-1].n)
        return False

    def drain_backlog(self, now: int, chance: float) -> None:
        """Send as much of the backlog as its rate and the windows allow."""
        while request := self.delivery.next_backlog_request(now):
            rows = self._outbox.rows_after(request.after, request.limit, request.to, request.cls)
            sent = self._send_frame(rows, now, chance) if rows else []
            if rows and not sent:
                return
            self.delivery.advance_backlog(request, sent[-1].n if sent else None)
            self.delivery.consume_tokens(len(sent))

    def defer(self, rows: list[tuple[int, str]], now: int, chance: float) -> None:
        """Defer rows; the times of rows in the future are marked unsure again."""
        if not rows:
            return
        device_wide = [n for n, reason in rows if reason in DEVICE_WIDE_REASONS]
        self.delivery.defer(device_wide, now, chance, device_wide=True)
        self.delivery.defer([n for n, reason in rows if reason not in DEVICE_WIDE_REASONS], now, chance)
        future = [n for n, reason in rows if reason == "future"]
        if future and self._unsure_timestamps:
            self._unsure_timestamps.mark_unsure(future)
            self._may_have_unsure_rows = True

    def next_due(self, now: int) -> int | None:
        """Return when the next row becomes due, None without one."""
        if self.is_blocked:
            return None
        dues = [self.delivery.next_due()]
        if self.delivery.may_drain():
            dues.append(self.delivery.drain_due_at(now))
        if self._holding_rows and self._clock:
            dues.append(now + self._clock.hold_remaining_ms())
        if self._may_have_unsure_rows and self._clock and self._clock.trusted:
            dues.append(now)
        return min((due for due in dues if due is not None), default=None)

    def _send_frame(self, rows: list[OutboxRow], now: int, chance: float) -> list[OutboxRow]:
        """Send as many of the rows as the broker accepts in one frame, or set the first one aside.

        Returns the rows that were sent or set aside; none when the link accepts nothing now.
        """
        rows, unreadable = self._without_unreadable(rows)
        if not rows:
            return unreadable
        rows = fit_to_frame(rows)
        if self._unsure_timestamps and self._clock and self._clock.trusted and any(row.time_unsure for row in rows):
            self._may_have_unsure_rows = True
            return []
        frame = self._pack(rows)
        if frame is None:
            self._set_aside(rows[0], self._packet_size(self._build_frame(rows[:1])))
            self.delivery.forget({rows[0].n})
            return rows[:1]
        rows = rows[: len(frame.row_numbers)]
        unsure = [row.n for row in rows if row.time_unsure]
        if unsure and self._unsure_timestamps:
            self._unsure_timestamps.finalise(unsure)
        mid = self._publish(frame)
        self.frames_sent += mid is not None
        self.delivery.record_sent(frame.row_numbers, mid or None, now, chance)
        if mid is None:
            return []
        self._packet_sizes[mid] = self._packet_size(frame)
        return rows

    def _without_unreadable(self, rows: list[OutboxRow]) -> tuple[list[OutboxRow], list[OutboxRow]]:
        """Set aside rows that an earlier process stored and that are no events now; returns the others, and those.

        One of them in a frame would make the frame unreadable, and so all its rows.
        """
        if rows[0].n > self._checked_until:
            return rows, []
        unreadable = [row for row in rows if row.n <= self._checked_until and not is_readable(row)]
        if unreadable:
            for row in unreadable:
                self._set_aside(row, None)
            numbers = {row.n for row in unreadable}
            self.delivery.forget(numbers)
            rows = [row for row in rows if row.n not in numbers]
        return rows, unreadable

    def _pack(self, rows: list[OutboxRow]) -> OutgoingFrame | None:
        """Return a frame with the first rows, as many as the broker accepts; None when the first is too large."""
        limit = self._budget.frame_bytes
        while True:
            frame = self._build_frame(rows)
            size = self._packet_size(frame)
            if size <= limit or (len(rows) == 1 and self._budget.row_fits(size)):
                return frame
            if len(rows) == 1:
                return None
            rows = rows[: max(1, min(len(rows) - 1, len(rows) * limit // size))]

    def _packet_size(self, frame: OutgoingFrame) -> int:
        return publish_size(self._topic, len(frame.payload), frame.content_type, frame.user_properties)

    def _build_frame(self, rows: list[OutboxRow]) -> OutgoingFrame:
        outbox_id = self._outbox.outbox_id
        sync = self._clock.sync if self._clock else None
        clock_header = codec.Clock(sync.synced, sync.error_ms) if sync else None
        payload = codec.encode_frame(outbox_id, self._boot, self._wall(), [row.body for row in rows], clock_header)
        numbers = [row.n for row in rows]
        user_properties = {"spool": outbox_id, "from": str(numbers[0]), "to": str(numbers[-1])}
        frame = OutgoingFrame(payload, codec.CONTENT_TYPE, user_properties, numbers)
        is_long = len(payload) >= COMPRESS_MIN_BYTES or self._packet_size(frame) > self._budget.frame_bytes
        if not (self._compress and is_long):
            return frame
        return replace(frame, payload=codec.compress(payload), content_type=codec.CONTENT_TYPE + codec.ZLIB_SUFFIX)


def fit_to_frame(rows: list[OutboxRow]) -> list[OutboxRow]:
    """Return the first rows that fit into one frame."""
    size = 0
    for i, row in enumerate(rows):
        size += len(row.body) + 1
        if i and size > FRAME_TARGET_BYTES:
            return rows[:i]
    return rows


class _RowHead(Struct, frozen=True):
    """What every event has, also one of another version."""

    n: ev.RowNumber
    t: ev.Ms
    type: str


_HEAD_DECODER = msgspec.json.Decoder(_RowHead)


def read_capture_time(row: OutboxRow) -> int | None:
    """Return when the event of a row was captured, Unix ms; None when its body is no event with its number."""
    try:
        head = _HEAD_DECODER.decode(row.body)
        row.body.decode()
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return head.t if head.n == row.n else None


def is_readable(row: OutboxRow) -> bool:
    """Return whether a row's body is an event with its number, perhaps one of another version."""
    return read_capture_time(row) is not None
