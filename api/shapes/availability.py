"""Turns accounts of time into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import rfc3339
from telemetry.core.figures.accounting import TimeByState

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import PublishedFigures, UnknownPolicy
    from telemetry.queries import AvailabilityResult, PublicationNote


def availability_rows(result: AvailabilityResult) -> list[s.AvailabilityRow]:
    """Shape a scope's accounts."""
    return [
        _availability_row(result, w, time_account, note)
        for (w, time_account), note in zip(result.rows, result.notes, strict=True)
    ]


def _availability_row(
    result: AvailabilityResult, window: Window, time_account: TimeByState, note: PublicationNote
) -> s.AvailabilityRow:
    return s.AvailabilityRow(
        scope=result.scope,
        from_=rfc3339(window.start, result.zone),
        to=rfc3339(window.end, result.zone),
        state=note.stage,
        **_account_fields(time_account, result.unknown),  # type: ignore[arg-type]
        capacity=None if note.capacity is None else s.WindowCapacity(low=note.capacity[0], high=note.capacity[1]),
        published=None if note.published is None else _published_availability(note.published, result.unknown),
        correction=None if note.correction is None else _difference_seconds(note.correction.difference),
    )


def _account_fields(time_account: TimeByState, policy: UnknownPolicy) -> dict[str, object]:
    return {
        "seconds": _account_seconds(time_account),
        "availability": time_account.availability(policy),
        "low": time_account.low,
        "high": time_account.high,
        "coverage": time_account.coverage,
    }


def _account_seconds(time_account: TimeByState) -> s.SecondsByState:
    return s.SecondsByState(
        open=time_account.open, up=time_account.up, down=time_account.down,
        unknown=time_account.unknown, excluded=time_account.excluded
    )  # fmt: skip


def _difference_seconds(difference: PublishedFigures) -> s.SecondsByState:
    return s.SecondsByState(
        open=difference.open,
        up=difference.up,
        down=difference.down,
        unknown=difference.unknown,
        excluded=difference.excluded,
    )


def _published_availability(published: PublishedFigures, policy: UnknownPolicy) -> s.PublishedAvailability:
    account = TimeByState(published.up, published.down, published.unknown, published.excluded)
    return s.PublishedAvailability(month=published.month, **_account_fields(account, policy))  # type: ignore[arg-type]
