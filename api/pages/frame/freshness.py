"""How old the newest data of a page are, and whether that is too old to be called current. Pure."""

from __future__ import annotations

from dataclasses import dataclass

STALE_AFTER_MS = 60_000
"""Older data are not current: the page says so, and its dot is not green."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest data of what a page shows, and the present, Unix ms; `follows`: the page shows the present."""

    newest: int | None
    now: int
    follows: bool = True

    @property
    def age_s(self) -> int | None:
        """Return the age of the newest data in whole seconds, None without data."""
        return None if self.newest is None else max(0, self.now - self.newest) // 1000

    @property
    def is_stale(self) -> bool:
        """Return whether the page shows the present from data that are too old."""
        return self.follows and (self.newest is None or self.now - self.newest > STALE_AFTER_MS)
