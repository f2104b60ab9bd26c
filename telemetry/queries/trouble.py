"""Since when a centre is not in order, from its time as segments; it must not decide whether it is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.figures.condition import Assessment
    from telemetry.queries.timeline import TimelineSegment

_PASSED_OVER = frozenset({"closed", "excluded"})
"""Time that says nothing of a state: a fault before the lunch break goes on after it."""


def faulty_since(segments: Sequence[TimelineSegment], now: int) -> int:
    """Return since when a place is not up, Unix ms: `now` when its newest known time is up."""
    since = now
    for segment in reversed(segments):
        if segment.kind.state == "up":
            break
        if segment.kind.state not in _PASSED_OVER:
            since = segment.window.start
    return since


def reason_since(assessment: Assessment, now: int) -> int | None:
    """Return since when by the reasons themselves: without data, or since the one who waits longest came."""
    for reason in assessment.reasons:
        if reason.code == "no_contact":
            return reason.at
        if reason.code == "longest_wait" and reason.seconds is not None:
            return now - 1000 * reason.seconds
    return None
