"""Packs rows into frames: live rows first, then the backlog; unsure times are repaired or finalised before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_agent.delivery import Delivery
from edge_agent.outbox import UnsureTimestamps
from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox, OutboxRow
    from edge_agent.settings import AgentSettings, Environment

FRAME_TARGET_BYTES = 96 * 1024
COMPRESS_MIN_BYTES = 4 * 1024
DEVICE_WIDE_REASONS = frozenset({"unknown_device", "unknown_centre", "unsupported_version"})
"""Reasons that apply to every row of a device."""


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
    ) -> None:
        """Nothing is sent before `on_connected`."""
        self._outbox, self._boot, self._publish, self._wall = outbox, boot, publish, environment.wall
        self._clock = environment.clock
        self._unsure_timestamps = UnsureTimestamps(outbox, environment.clock.boot) if environment.clock else None
        self._pace, self._compress = settings.pace, settings.compress
        self._generation = outbox.file.generation
        self._holding_rows = False
        self._may_have_unsure_rows = True
        self.delivery = Delivery(settings.pace)
        self.frames_sent = 0
        if self._unsure_timestamps:
            self._unsure_timestamps.accept_earlier_boots()

    def on_connected(self, now: int, chance: float) -> None:
        """Start a new connection."""
        self._holding_rows = self._clock_hold_limit() is not None
        self.delivery.on_connected(now, self._send_limit(), chance)

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
        self._pace = self.delivery.pace = replace(self._pace, drain_rows_per_s=rows_per_s)

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
            self._generation = self._outbox.file.generation
            self.delivery = Delivery(self._pace)
            self.on_connected(now, chance)

    def resend_due(self, now: int, chance: float) -> bool:
        """Send frames that are due again; returns whether the link still accepts frames."""
        while numbers := self.delivery.due_resends(now):
            rows = self._outbox.rows_by_number(numbers)
            missing = set(numbers) - {row.n for row in rows}
            self.delivery.on_receipt([(n, n) for n in missing])
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
            rows = fit_to_frame(rows)
            if not self._send_frame(rows, now, chance):
                return False
            self.delivery.record_live_sent(rows[-1].n)
        return False

    def drain_backlog(self, now: int, chance: float) -> None:
        """Send as much of the backlog as its rate and the windows allow."""
        while request := self.delivery.next_backlog_request(now):
            rows = fit_to_frame(self._outbox.rows_after(request.after, request.limit, request.to, request.cls))
            if rows and not self._send_frame(rows, now, chance):
                return
            self.delivery.advance_backlog(request, rows[-1].n if rows else None)
            self.delivery.consume_tokens(len(rows))

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
        dues = [self.delivery.next_due()]
        if self.delivery.may_drain():
            dues.append(self.delivery.drain_due_at(now))
        if self._holding_rows and self._clock:
            dues.append(now + self._clock.hold_remaining_ms())
        if self._may_have_unsure_rows and self._clock and self._clock.trusted:
            dues.append(now)
        return min((due for due in dues if due is not None), default=None)

    def _send_frame(self, rows: list[OutboxRow], now: int, chance: float) -> bool:
        """Send as many of the rows as fit into one frame; returns whether the link accepted it."""
        rows = fit_to_frame(rows)
        unsure = [row.n for row in rows if row.time_unsure]
        if unsure and self._unsure_timestamps and self._clock:
            if self._clock.trusted:
                self._may_have_unsure_rows = True
                return False
            self._unsure_timestamps.finalise(unsure)
        mid = self._publish(self._build_frame(rows))
        self.frames_sent += mid is not None
        self.delivery.record_sent([row.n for row in rows], mid, now, chance)
        return mid is not None

    def _build_frame(self, rows: list[OutboxRow]) -> OutgoingFrame:
        outbox_id = self._outbox.outbox_id
        sync = self._clock.sync if self._clock else None
        clock_header = codec.Clock(sync.synced, sync.error_ms) if sync else None
        payload = codec.encode_frame(outbox_id, self._boot, self._wall(), [row.body for row in rows], clock_header)
        content_type = codec.CONTENT_TYPE
        if self._compress and len(payload) >= COMPRESS_MIN_BYTES:
            payload, content_type = codec.compress(payload), content_type + codec.ZLIB_SUFFIX
        numbers = [row.n for row in rows]
        user_properties = {"spool": outbox_id, "from": str(numbers[0]), "to": str(numbers[-1])}
        return OutgoingFrame(payload, content_type, user_properties, numbers)


def fit_to_frame(rows: list[OutboxRow]) -> list[OutboxRow]:
    """Return the first rows that fit into one frame."""
    size = 0
    for i, row in enumerate(rows):
        size += len(row.body) + 1
        if i and size > FRAME_TARGET_BYTES:
            return rows[:i]
    return rows
