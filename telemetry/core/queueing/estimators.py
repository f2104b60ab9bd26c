"""Simple estimators of a newcomer's wait, against which any other must win; each is one figure in seconds, or None.

Sources: Ibrahim and Whitt 2009 (Manufacturing & Service Operations Management 11:397) for the delay-history estimators
(LES, HOL) and queue length × service time.  They must not simulate nor fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry.core.queueing.drain import Newcomer
    from telemetry.core.queueing.queue_profile import QueueProfile
    from telemetry.core.queueing.waiting_line import LineState

MOVING_WAITS = 10
"""How many of the last waits the moving average takes."""


def estimate_mean(_line: LineState, _newcomer: Newcomer, profile: QueueProfile) -> float | None:
    """Return the mean wait of the past days."""
    return profile.typical_wait or None


def estimate_moving_average(line: LineState, _newcomer: Newcomer, _profile: QueueProfile) -> float | None:
    """Return the mean of the last waits that ended with a call."""
    last = line.last_waits[-MOVING_WAITS:]
    return sum(wait.wait_s for wait in last) / len(last) if last else None


def estimate_last_to_enter_service(line: LineState, newcomer: Newcomer, _profile: QueueProfile) -> float | None:
    """Return the wait of the service's last called ticket (LES)."""
    own = [wait.wait_s for wait in line.last_waits if wait.kind.service == newcomer.kind.service]
    return own[-1] if own else None


def estimate_head_of_line(line: LineState, newcomer: Newcomer, _profile: QueueProfile) -> float | None:
    """Return how long the service's longest waiting ticket has waited (HOL); 0 when nobody waits."""
    own = [ticket.entered for ticket in line.waiting if ticket.kind.service == newcomer.kind.service]
    return max(newcomer.at - min(own), 0) / 1000 if own else 0.0


def estimate_queue_length(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> float | None:
    """Return (tickets ahead + 1) × mean service time ÷ counters at work; the classes of those ahead are known."""
    service_s = profile.mean_service_s(newcomer.kind.service)
    counters = len({busy.counter for busy in line.busy}) or len(line.idle)
    if service_s is None or not counters:
        return None
    return (count_ahead(line, newcomer, profile) + 1) * service_s / counters


def count_ahead(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> int:
    """Return how many waiting tickets are to be called before the newcomer."""
    order = newcomer.at - 1000 * profile.head_start_s(newcomer.kind)
    return sum(ticket.entered - 1000 * profile.head_start_s(ticket.kind) <= order for ticket in line.waiting)


SIMPLE_ESTIMATORS: Mapping[str, Callable[[LineState, Newcomer, QueueProfile], float | None]] = {
    "mean": estimate_mean,
    "moving_average": estimate_moving_average,
    "last_to_enter_service": estimate_last_to_enter_service,
    "head_of_line": estimate_head_of_line,
    "queue_length": estimate_queue_length,
}
"""The simple estimators by name, in the order of the table."""
