"""Decides whether the figures that are served are current; it must not judge the figures themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.store import Store

MAX_ROLLUP_AGE_MS = 120_000
"""Rollup passes once a second: behind by more than this, it is dead or cannot follow."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """How long ago rollup's newest pass began, ms, None without any; and why the figures are not current, in words."""

    rollup_age_ms: int | None
    reasons: tuple[str, ...]


def read_readiness(store: Store, now: int) -> Readiness:
    """Return whether the store answers and rollup keeps up; raises StoreUnavailable."""
    passed_at = store.cursor() // 1000
    if not passed_at:
        return Readiness(None, ("rollup has never folded anything in this store: start `motcua rollup`",))
    age = max(0, now - passed_at)
    if age <= MAX_ROLLUP_AGE_MS:
        return Readiness(age, ())
    return Readiness(age, (f"rollup is {age // 1000} s behind: see its log, or start `motcua rollup`",))
