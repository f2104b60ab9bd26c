"""Remembers budgets over time and what spent them, so that a page asked for again reads no totals; it must not write.

An answer holds until the entity's past is written again (`reopened` of its live row) or a slot ends, and at most
RECENT_TTL_MS: the newest slots may still be written without notice. Without `reopened` it holds for a second.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from telemetry.core.calendar.windows import SLOT, floor
from telemetry.queries.slo_history import budget_spending, slo_history

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.queries.buckets import BucketSize
    from telemetry.queries.slo_history import ScopedSloQuery
    from telemetry.store import Store

RECENT_TTL_MS = 120_000
UNVERSIONED_TTL_MS = 1_000
MAX_ANSWERS = 64
Answer = TypeVar("Answer", "tuple[HistoryPoint, ...]", "tuple[BudgetSpend, ...]")


@dataclass(frozen=True, slots=True)
class _RememberedAnswer:
    """An answer with what it depends on and until when it holds at most, Unix ms."""

    answer: Sequence[object]
    slo_query: ScopedSloQuery
    depends_on: tuple[int, ...]
    read_at: int
    expires_at: int

    def holds(self, slo_query: ScopedSloQuery, depends_on: tuple[int, ...], now: int) -> bool:
        return self.depends_on == depends_on and self.read_at <= now < self.expires_at and self.slo_query == slo_query


class BudgetHistories:
    """Reads and remembers the budgets of objectives at scopes; safe to call from many threads."""

    def __init__(self, store: Store, reopened_at: Callable[[str], int], clock: Callable[[], int]) -> None:
        self._store, self._reopened_at, self._clock = store, reopened_at, clock
        self._answers: OrderedDict[Hashable, _RememberedAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def history(self, slo_query: ScopedSloQuery, window: Window, bucket: BucketSize) -> tuple[HistoryPoint, ...]:
        """Return an objective's figures bucket by bucket."""
        return self._get(
            (bucket, window),
            slo_query,
            lambda: tuple(slo_history(self._store, slo_query, window, bucket, self._clock())),
        )

    def spending(self, slo_query: ScopedSloQuery, window: Window) -> tuple[BudgetSpend, ...]:
        """Return what consumed a budget, the greatest first."""
        return self._get(
            ("spending", window), slo_query, lambda: tuple(budget_spending(self._store, slo_query, window))
        )

    def _get(self, part: tuple[str, Window], slo_query: ScopedSloQuery, read: Callable[[], Answer]) -> Answer:
        key = (slo_query.objective.id, slo_query.scope, *part)
        now, reopened_at = self._clock(), self._reopened_at(slo_query.entity)
        depends_on = (reopened_at, floor(now, SLOT))
        with self._lock:
            remembered = self._answers.get(key)
        if remembered is not None and remembered.holds(slo_query, depends_on, now):
            return remembered.answer  # type: ignore[return-value]
        answer = read()
        expires_at = now + (RECENT_TTL_MS if reopened_at else UNVERSIONED_TTL_MS)
        with self._lock:
            self._answers[key] = _RememberedAnswer(answer, slo_query, depends_on, now, expires_at)
            self._answers.move_to_end(key)
            while len(self._answers) > MAX_ANSWERS:
                self._answers.popitem(last=False)
        return answer
