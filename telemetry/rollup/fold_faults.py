"""What rollup could not read or fold, by entity: set aside by name, counted, tried again later; nobody else waits.

It must not decide what a fault means for a figure: readers show the entity as unknown while a row of it has `since`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, ceil, floor, merge
from telemetry.core.fold.live_row_types import FAULT_ROW_PREFIX, SLO_ROW_PREFIX, FoldFaultNow, decode_rows
from telemetry.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.store import Store

_log = structlog.get_logger()
FIRST_RETRY_MS = MINUTE
LONGEST_RETRY_MS = HOUR
"""A window that could not be folded is tried again after a minute, then after twice the time, up to an hour."""
RETRIES_PER_PASS = 5
MAX_WINDOWS = 100
"""Windows set aside per entity; of more, the first and the last time are retained and all between is folded again."""
_REASON_LENGTH = 200


class FoldFaults:
    """The faults of every entity, stored as live rows so that they outlive a restart. `clock` returns Unix ms."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store, self._clock = store, clock
        self._rows: dict[str, FoldFaultNow] | None = None
        self._unwritten: set[str] = set()
        self._retry_at: dict[str, tuple[int, int]] = {}

    def _by_entity(self) -> dict[str, FoldFaultNow]:
        if self._rows is None:
            self._rows = decode_rows(((live.entity, live.body) for live in self._store.live_rows()), FoldFaultNow)
        return self._rows

    @contextmanager
    def guard(self, entity: str, part: str, window: Window | None = None) -> Iterator[None]:
        """Set aside what the block cannot read or do for this entity; only an unavailable store stops the pass."""
        unreadable = self._store.unreadable
        before = unreadable.count_of(entity)
        try:
            yield
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever stored bytes raise
            if self.record(entity, part, repr(error), window):
                remedy = "the others go on; correct or delete the stored row, it is tried again by itself"
                _log.error("fold_failed", unit=entity, part=part, error=repr(error), exc_info=error, remedy=remedy)
        else:
            if unreadable.count_of(entity) > before:
                self.record(entity, "read", unreadable.reason_of(entity), window)

    def record(self, entity: str, part: str, reason: str, window: Window | None = None) -> bool:
        """Count a fault of an entity and schedule its next try; returns whether this fault is new."""
        now, rows = self._clock(), self._by_entity()
        row = rows.get(entity) or FoldFaultNow(entity=entity, at=now)
        known = [Window(*pair) for pair in row.windows]
        windows = merge([*known, window]) if window is not None else known
        if len(windows) > MAX_WINDOWS:
            windows = [Window(windows[0].start, windows[-1].end)]
        is_new = row.since is None or (row.part, row.reason) != (part, reason[:_REASON_LENGTH])
        rows[entity] = msgspec.structs.replace(
            row, at=now, failures=row.failures + 1, since=row.since if row.since is not None else now, part=part,
            reason=reason[:_REASON_LENGTH], windows=tuple((w.start, w.end) for w in windows),
        )  # fmt: skip
        self._unwritten.add(entity)
        retry_at, delay = self._retry_at.get(entity, (0, FIRST_RETRY_MS // 2))
        if retry_at <= now:
            delay = min(2 * delay, LONGEST_RETRY_MS)
            self._retry_at[entity] = (now + delay, delay)
        return is_new

    def is_postponed(self, entity: str, part: str) -> bool:
        """Return whether this step of an entity failed last and is not tried before `due` returns the entity."""
        row = self._by_entity().get(entity)
        return row is not None and row.since is not None and row.part == part

    def due(self) -> list[tuple[str, list[Window]]]:
        """Return the entities to try now, with their windows in whole hours; at most RETRIES_PER_PASS."""
        now = self._clock()
        waiting = [self._by_entity()[entity] for entity in self.set_aside() if not entity.startswith(SLO_ROW_PREFIX)]
        due = [row for row in waiting if self._retry_at.get(row.entity, (0, 0))[0] <= now]
        return [(row.entity, [usable_hours(Window(*w), now) for w in row.windows]) for row in due[:RETRIES_PER_PASS]]

    def set_aside(self, prefix: str = "") -> list[str]:
        """Return the entities of which something is set aside; objectives are named with their live row's prefix."""
        return [e for e, row in self._by_entity().items() if row.since is not None and e.startswith(prefix)]

    def failures_of(self, entity: str) -> int:
        """Return how often this entity has failed, ever."""
        row = self._by_entity().get(entity)
        return 0 if row is None else row.failures

    def clear(self, entity: str) -> None:
        """Record that everything of an entity was folded again; its count of failures remains."""
        row = self._by_entity().get(entity)
        if row is not None and row.since is not None:
            _log.info("fold_recovered", unit=entity, failures=row.failures)
            self._by_entity()[entity] = msgspec.structs.replace(row, at=self._clock(), since=None, windows=())
            self._unwritten.add(entity)
        self._retry_at.pop(entity, None)

    def changed_rows(self) -> dict[str, bytes]:
        """Return the rows to write, by their live entity; each is returned once."""
        rows = {f"{FAULT_ROW_PREFIX}{e}": msgspec.json.encode(self._by_entity()[e]) for e in sorted(self._unwritten)}
        self._unwritten.clear()
        return rows


def usable_hours(window: Window, now: int) -> Window:
    """Return a stored window in whole hours, within the times that events can have: what is stored may be anything."""
    start, end = floor(max(window.start, 0), HOUR), ceil(min(window.end, now + DAY), HOUR)
    return Window(min(start, end), end)
