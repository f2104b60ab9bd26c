"""Where answers come from: the envelope of every answer and its meta."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Data = TypeVar("Data")


class ApiModel(BaseModel):
    """What all wire values share."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class ResponseMeta(ApiModel):
    """Where an answer comes from; `revision` rises with every live update.

    What lies before `settled_until` is settled; `calendar_version` is that of the one centre an answer is about.
    """

    as_of: str
    revision: int
    timezone: str
    inventory_version: str
    settled_until: str
    calendar_version: str | None = None
    simulated: bool = False


class WindowMeta(ResponseMeta):
    """The window really used: `from` and `to` widened to 5-minute marks."""

    from_: str = Field(serialization_alias="from")
    to: str
    coverage: float | None


class RowCounts(ApiModel):
    """Rows stored, refused and dropped, of the highest row number."""

    stored: int
    refused: int
    dropped: int
    highest: int
    ratio: float | None


class CompletenessMeta(ResponseMeta):
    """The sums over all devices."""

    totals: RowCounts


class Envelope(ApiModel, Generic[Data]):
    """Every answer: data, where it comes from, and the cursor of the next page."""

    data: Data
    meta: ResponseMeta
    next: str | None = None


class WindowEnvelope(ApiModel, Generic[Data]):
    """An answer about a window."""

    data: list[Data]
    meta: WindowMeta
    next: str | None = None
