"""A scope's time over one bucket, with what was published of it: whole seconds, ratios from 0 to 1 or null."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.envelope import Model
from api.schemas.figures import Seconds


class CapacityOut(Model):
    """The share of its counters that a centre had: unknown ones down, and up."""

    low: float
    high: float


class PublishedOut(Model):
    """A month as it was published; late data never change it."""

    month: str
    seconds: Seconds
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None


class AvailabilityRow(Model):
    """A scope's time over one bucket.

    `correction` is what late data have changed since the month was published: the row's seconds minus the published
    ones, null when there is no difference.
    """

    scope: str
    from_: str = Field(serialization_alias="from")
    to: str
    state: Literal["provisional", "settled", "published"]
    seconds: Seconds
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None
    capacity: CapacityOut | None = None
    published: PublishedOut | None = None
    correction: Seconds | None = None
