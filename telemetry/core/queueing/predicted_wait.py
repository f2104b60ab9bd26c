"""The wait that is predicted for a newcomer; it must not say how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PredictedWait:
    """A newcomer's wait if it has to queue: median and 90 % bound, s."""

    p50_s: float
    p90_s: float
