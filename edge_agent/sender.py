"""Rows into frames: live ones first, then the backlog at its pace; doubtful times are put right or frozen before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_agent.delivery import Delivery
from edge_agent.outbox import Doubts
from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox, Row
    from edge_agent.settings import AgentSettings, Surroundings

FRAME_BYTES = 96 * 1024
COMPRESS_FROM = 4 * 1024
ALIKE = frozenset({"unknown_device", "unknown_centre", "unsupported_version"})
"""Reasons that hold for every row of a device alike."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message's content and the row numbers it names."""

    payload: bytes
    content_type: str
    user: dict[str, str]
    numbers: list[int]


class Sending:
    """Decides with `Delivery` and fetches from the outbox; `publish` hands a frame over and returns its message id."""

    def __init__(
        self,
        outbox: Outbox,
        settings: AgentSettings,
        around: Surroundings,
        boot: str,
        publish: Callable[[Frame], int | None],
    ) -> None:
        """Take the parts; nothing is sent before `linked`."""
        self._outbox, self._boot, self._publish, self._wall = outbox, boot, publish, around.wall
        self._clock = around.clock
        self._doubts = Doubts(outbox, around.clock.boot) if around.clock else None
        self._pace, self._compress = settings.pace, settings.compress
        self._generation = outbox.file.generation
        self._holding = False
        self._unsure = True
        self.delivery = Delivery(settings.pace)
        self.frames = 0
        if self._doubts:
            self._doubts.begin()

    def linked(self, now: int, chance: float) -> None:
        """Begin with a new connection."""
        self._holding = self._top() is not None
        self.delivery.linked(now, self._upto(), chance)

    def _top(self) -> int | None:
        """Return the last row that may go while the clock is in doubt, None when all may."""
        if self._clock is None or self._doubts is None or not self._clock.held_for():
            return None
        first = self._doubts.first()
        return None if first is None else first - 1

    def _upto(self) -> int:
        top = self._top()
        return self._outbox.highest if top is None else top

    def drain_at(self, rows_per_s: int) -> None:
        """Change the backlog's pace."""
        self._pace = self.delivery.pace = replace(self._pace, drain_rows_per_s=rows_per_s)

    def put_right(self) -> bool:
        """Right some doubtful times once the clock is known; tells whether there may be more. Raises sqlite3.Error."""
        if not (self._unsure and self._clock and self._doubts and self._clock.trusted):
            return False
        self._unsure = self._doubts.put_right(self._clock.offset) > 0
        return self._unsure

    def release(self) -> None:
        """Leave rows that waited for the clock to the backlog once they may go."""
        if self._holding and self._top() is None:
            self._holding = False
            self.delivery.fold(self._outbox.highest)

    def renewed(self, now: int, chance: float) -> None:
        """Begin afresh when a damaged outbox was replaced: its rows may have other names."""
        if self._outbox.file.generation != self._generation:
            self._generation = self._outbox.file.generation
            self.delivery = Delivery(self._pace)
            self.linked(now, chance)

    def resend(self, now: int, chance: float) -> bool:
        """Send what is due again; tells whether the link still takes frames."""
        while numbers := self.delivery.overdue(now):
            kept = self._outbox.rows(numbers)
            gone = set(numbers) - {row.n for row in kept}
            self.delivery.settled([(n, n) for n in gone])
            if kept and not self._send(kept, now, chance):
                return False
        return True

    def live(self, now: int, chance: float) -> bool:
        """Send new rows; tells whether none is left."""
        top = self._top()
        self._holding = top is not None
        while self.delivery.may_send():
            rows = self._outbox.after(self.delivery.cursor, self._pace.rows_per_frame, top)
            if not rows:
                return True
            rows = fitting(rows)
            if not self._send(rows, now, chance):
                return False
            self.delivery.live_sent(rows[-1].n)
        return False

    def drain(self, now: int, chance: float) -> None:
        """Send what the backlog's pace and the windows allow."""
        while want := self.delivery.next_drained(now):
            rows = fitting(self._outbox.after(want.after, want.limit, want.to, want.cls))
            if rows and not self._send(rows, now, chance):
                return
            self.delivery.drained(want, rows[-1].n if rows else None)
            self.delivery.spent(len(rows))

    def deferred(self, rows: list[tuple[int, str]], now: int, chance: float) -> None:
        """Put rows off; the times of those that lie in the future are doubted again."""
        if not rows:
            return
        alike = [n for n, reason in rows if reason in ALIKE]
        self.delivery.deferred(alike, now, chance, all_alike=True)
        self.delivery.deferred([n for n, reason in rows if reason not in ALIKE], now, chance)
        future = [n for n, reason in rows if reason == "future"]
        if future and self._doubts:
            self._doubts.doubt(future)
            self._unsure = True

    def next_due(self, now: int) -> int | None:
        """Return when to look again, None when nothing waits for time to pass."""
        dues = [self.delivery.next_due()]
        if self.delivery.may_drain():
            dues.append(self.delivery.drain_due(now))
        if self._holding and self._clock:
            dues.append(now + self._clock.held_for())
        if self._unsure and self._clock and self._clock.trusted:
            dues.append(now)
        return min((due for due in dues if due is not None), default=None)

    def _send(self, rows: list[Row], now: int, chance: float) -> bool:
        """Send as many of the rows as one frame takes; tells whether the link took it."""
        rows = fitting(rows)
        doubtful = [row.n for row in rows if row.doubtful]
        if doubtful and self._doubts and self._clock:
            if self._clock.trusted:
                self._unsure = True
                return False
            self._doubts.freeze(doubtful)
        mid = self._publish(self._framed(rows))
        self.frames += mid is not None
        self.delivery.sent([row.n for row in rows], mid, now, chance)
        return mid is not None

    def _framed(self, rows: list[Row]) -> Frame:
        spool = self._outbox.spool
        said = self._clock.sync if self._clock else None
        head = codec.Clock(said.synced, said.error_ms) if said else None
        payload = codec.encode_frame(spool, self._boot, self._wall(), [row.body for row in rows], head)
        kind = codec.CONTENT_TYPE
        if self._compress and len(payload) >= COMPRESS_FROM:
            payload, kind = codec.compress(payload), kind + codec.ZLIB
        numbers = [row.n for row in rows]
        return Frame(payload, kind, {"spool": spool, "from": str(numbers[0]), "to": str(numbers[-1])}, numbers)


def fitting(rows: list[Row]) -> list[Row]:
    """Return the first rows, as many as one frame takes."""
    size = 0
    for i, row in enumerate(rows):
        size += len(row.body) + 1
        if i and size > FRAME_BYTES:
            return rows[:i]
    return rows
