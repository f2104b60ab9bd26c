"""Changes of the usual opening: planned maintenance, holidays, swapped days, exceptions and modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, window_fields

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.queries.calendar_entries import CalendarEntry


class CalendarEntryResponse(ApiModel):
    """One change over a window; of a whole day with the hours of that day."""

    kind: Literal["maintenance", "holiday", "swap", "exception", "mode"] = Field(
        description="maintenance: planned work; holiday, swap, exception: a day with other hours; mode: online only, "
        "closed or emergency"
    )
    name: str = Field(description="what it is called where it is declared; empty without a name")
    from_: str = Field(serialization_alias="from")
    to: str
    hours: str = Field(description="opening hours of the day; empty for a closed day and for what is no day")
    scopes: list[str] = Field(description="the centres and systems that it is for; country: all centres")

    @classmethod
    def from_entry(cls, entry: CalendarEntry, zone: ZoneInfo) -> Self:
        """Return a change."""
        return cls.build(entry, scopes=list(entry.scopes), **window_fields(entry.window, zone))
