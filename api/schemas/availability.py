"""A scope's time over one bucket, with what was published of it: whole seconds, ratios from 0 to 1 or null."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.schemas.figures import SecondsByState


class WindowCapacity(ApiModel):
    """The share of its counters that a centre had: unknown ones down, and up."""

    low: float
    high: float


class PublishedAvailability(ApiModel):
    """A month as it was published; late data never change it."""

    month: str
    seconds: SecondsByState
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None


class AvailabilityRow(ApiModel):
    """A scope's time over one bucket.

    `correction` is what late data have changed since the month was published: the row's seconds minus the published
    ones, null when there is no difference.
    """

    scope: str
    from_: str = Field(serialization_alias="from")
    to: str
    state: Literal["provisional", "settled", "published"]
    seconds: SecondsByState
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None
    capacity: WindowCapacity | None = None
    published: PublishedAvailability | None = None
    correction: SecondsByState | None = None
