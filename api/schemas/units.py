"""Administrative units with the state of their centres, and what a search finds; it must not decide a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.schemas.network import ApiCondition, CentreSummary, StateCounts
from api.times import rfc3339_or_none

if TYPE_CHECKING:
    from typing import Self

    from telemetry.queries.search import SearchHit
    from telemetry.queries.slos import SloIndex
    from telemetry.queries.units import UnitView

SearchKindName = Literal["centre", "unit", "system", "objective", "kpi", "device"]


class UnitSummary(ApiModel):
    """A unit with the sums over the centres in it and below it."""

    code: str = Field(description="the unit's code in units.csv")
    level: Literal["province", "district", "commune"] = Field(description="administrative level")
    parent: str = Field(description="code of the unit that it lies within, or empty")
    name: str = Field(description="the unit's name")
    condition: ApiCondition = Field(description="of its centres together, by the rule for networks")
    centres: int = Field(ge=0, description="declared centres")
    in_trouble: int = Field(ge=0, description="centres that are down, overloaded, unknown or degraded")
    waiting: int = Field(ge=0, description="tickets that wait now")
    serving: int = Field(ge=0, description="tickets being served now")
    counters: int = Field(ge=0, description="counters of its centres")
    counters_open: int = Field(ge=0, description="counters open now")
    devices: StateCounts = Field(description="devices in service by state")
    wait_mean_s: float | None = Field(ge=0, description="mean wait of today's calls, seconds; null without calls")
    calls_today: int = Field(ge=0, description="calls of today, of which the mean wait is")
    last_data: str | None = Field(description="when data of any of its centres last arrived")

    @classmethod
    def from_view(cls, view: UnitView) -> Self:
        """Return a unit; its times are in the zone of one of its centres."""
        zone = view.centres[0].centre.zone if view.centres else None
        return cls.build(
            view.unit,
            view,
            centres=len(view.centres),
            devices=StateCounts.from_counts(view.devices),
            wait_mean_s=view.today.wait.mean_s,
            calls_today=view.today.wait.count,
            last_data=None if zone is None else rfc3339_or_none(view.last_data, zone),
        )


class UnitDetail(UnitSummary):
    """A unit with the units directly below it and all its centres."""

    units: list[UnitSummary] = Field(description="the units directly below it, by code")
    all_centres: list[CentreSummary] = Field(description="all its centres, worst first")

    @classmethod
    def with_parts(cls, view: UnitView, slos: SloIndex) -> Self:
        """Return a unit with its parts."""
        return cls.build(
            UnitSummary.from_view(view),
            units=[UnitSummary.from_view(child) for child in view.children],
            all_centres=[CentreSummary.from_view(centre, slos) for centre in view.centres],
        )


class SearchHitResponse(ApiModel):
    """Something declared whose name, code or id matches."""

    kind: SearchKindName = Field(description="what it is; `unit` is an administrative unit")
    id: str = Field(description="its id, a unit's code")
    name_vi: str = Field(description="Vietnamese name")
    name_en: str = Field(description="English name; of a unit the Vietnamese one")
    centre: str = Field(description="the device's centre, else empty")

    @classmethod
    def from_hit(cls, hit: SearchHit) -> Self:
        """Return a hit."""
        return cls.build(hit)
