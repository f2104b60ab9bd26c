"""Completeness, health and the build."""

from __future__ import annotations

from api.schemas.envelope import ApiModel, ResponseMeta


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


class CompletenessRow(RowCounts):
    """One device's rows over all its outboxes."""

    device: str
    spools: int


class CompletenessEnvelope(ApiModel):
    """Completeness by device, with the sums in `meta`."""

    data: list[CompletenessRow]
    meta: CompletenessMeta
    next: str | None = None


class HealthResponse(ApiModel):
    """Alive or ready; `live_age_s` is the age of the newest live row, `rollup_age_s` that of the present figures.

    `backlog_hours` is how many older hours wait to be folded; no present figure waits for them.
    """

    status: str
    store: str | None = None
    live_age_s: int | None = None
    rollup_age_s: int | None = None
    backlog_hours: int | None = None


class VersionResponse(ApiModel):
    """The build and the inventory."""

    version: str
    inventory_version: str
