"""Counts rollup's passes for its own page. It must not decide anything by them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PassStats:
    """Passes that ended well and that failed, and when the last good one ended, Unix ms (0: none yet)."""

    passes: int = 0
    failed: int = 0
    last_pass_at: int = 0

    def record_pass(self, now: int) -> None:
        """Count a pass that ended well at `now`, Unix ms."""
        self.passes += 1
        self.last_pass_at = now

    def record_failure(self) -> None:
        """Count a pass that failed; what it did not fold waits for the next one."""
        self.failed += 1
