"""Signed commitments of units and agencies, and whether they are on track; pure, it must not gather measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.kpi.trajectory import TargetPath, TargetPoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry.core.inventory import Commitment
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.trajectory import Measurement

CommitmentState = Literal["fulfilled", "on_track", "off_track", "missed", "no_pace", "no_source"]
"""`on_track`: the present pace reaches the value by its day; `no_pace`: there is one measurement only; `no_source`:
there is none."""


@dataclass(frozen=True, slots=True)
class CommitmentStatus:
    """A commitment beside what is measured; `gap` is measured − committed, `reached_on` where the pace leads."""

    commitment: Commitment
    state: CommitmentState
    measured: Measurement | None
    gap: float | None
    reached_on: date | None


def commitment_status(
    commitment: Commitment, indicator: Indicator, measured: Sequence[Measurement], today: date
) -> CommitmentStatus:
    """Return where a commitment is on `today`; `measured` are the committer's own values, oldest first.

    After its day the last measurement until then decides: a value that is good only later is missed.
    """
    point = TargetPoint(commitment.by, commitment.value)
    path = TargetPath((point,), indicator.direction == "up")
    until = min(today, commitment.by)
    known = [m for m in measured if m.day <= until]
    if not known:
        return CommitmentStatus(commitment, "no_source", None, None, None)
    last = known[-1]
    reached_on = path.reached_on(known)
    return CommitmentStatus(
        commitment,
        _state(path, known, reached_on, today),
        last,
        last.value - commitment.value,
        reached_on,
    )


def _state(path: TargetPath, known: Sequence[Measurement], reached_on: date | None, today: date) -> CommitmentState:
    (point,) = path.points
    if path.is_reached(known[-1].value, point.value):
        return "fulfilled"
    if today > point.by:
        return "missed"
    if known[0].day == known[-1].day:
        return "no_pace"
    return "on_track" if reached_on is not None and reached_on <= point.by else "off_track"
