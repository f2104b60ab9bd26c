"""Turns accounts of time into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import stamp
from telemetry.core.figures.accounting import Account

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import Unknown
    from telemetry.core.inventory import Published
    from telemetry.queries import Note, Uptime


def availability_rows(answer: Uptime) -> list[s.AvailabilityRow]:
    """Shape a scope's accounts."""
    return [_row(answer, w, found, note) for (w, found), note in zip(answer.rows, answer.notes, strict=True)]


def _row(answer: Uptime, window: Window, found: Account, note: Note) -> s.AvailabilityRow:
    return s.AvailabilityRow(
        scope=answer.scope,
        from_=stamp(window.start, answer.zone),
        to=stamp(window.end, answer.zone),
        state=note.stage,
        **_account(found, answer.unknown),  # type: ignore[arg-type]
        capacity=None if note.capacity is None else s.CapacityOut(low=note.capacity[0], high=note.capacity[1]),
        published=None if note.published is None else _published(note.published, answer.unknown),
        correction=None if note.correction is None else _change(note.correction.difference),
    )


def _account(found: Account, policy: Unknown) -> dict[str, object]:
    return {
        "seconds": _seconds(found),
        "availability": found.availability(policy),
        "low": found.low,
        "high": found.high,
        "coverage": found.coverage,
    }


def _seconds(found: Account) -> s.Seconds:
    return s.Seconds(
        open=found.total, up=found.up, down=found.down, unknown=found.unknown, excluded=found.excluded
    )  # fmt: skip


def _change(found: Published) -> s.Seconds:
    return s.Seconds(open=found.open, up=found.up, down=found.down, unknown=found.unknown, excluded=found.excluded)


def _published(found: Published, policy: Unknown) -> s.PublishedOut:
    account = Account(found.open, found.up, found.down, found.unknown, found.excluded)
    return s.PublishedOut(month=found.month, **_account(account, policy))  # type: ignore[arg-type]
