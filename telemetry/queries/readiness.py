"""Decides whether the figures that are served are current; it must not judge the figures themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.store import BACKLOG_HOURS_CHECKPOINT, CURRENT_UNTIL_CHECKPOINT

if TYPE_CHECKING:
    from telemetry.store import Store

MAX_ROLLUP_AGE_MS = 120_000
"""Rollup passes once a second: behind by more than this, it is dead or cannot follow."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """How old the present figures are, ms, None without any pass of rollup; and why they are not current, in words."""

    rollup_age_ms: int | None
    reasons: tuple[str, ...]
    backlog_hours: int = 0
    """Older hours that wait to be folded; the present figures do not wait for them."""


@dataclass(frozen=True, slots=True)
class CurrentUntil:
    """Until when changes of recent hours are folded, Unix ms, 0 for never, and how many older hours wait."""

    current_until: int
    backlog_hours: int


def read_current_until(store: Store) -> CurrentUntil:
    """Return how far the present figures go; raises StoreUnavailable."""
    cursor, backlog_hours = store.cursor(), store.checkpoint(BACKLOG_HOURS_CHECKPOINT)
    until = store.checkpoint(CURRENT_UNTIL_CHECKPOINT) if backlog_hours and cursor else 0
    return CurrentUntil(max(cursor // 1000, until), backlog_hours)


def read_readiness(store: Store, now: int) -> Readiness:
    """Return whether the store answers and rollup keeps up; raises StoreUnavailable."""
    until = read_current_until(store)
    if not until.current_until:
        return Readiness(None, ("rollup has never folded anything in this store: start `motcua rollup`",))
    age = max(0, now - until.current_until)
    if age <= MAX_ROLLUP_AGE_MS:
        return Readiness(age, (), until.backlog_hours)
    reason = f"rollup is {age // 1000} s behind: see its log, or start `motcua rollup`"
    return Readiness(age, (reason,), until.backlog_hours)
