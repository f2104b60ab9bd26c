"""What broke: incidents with their time, cause and impact; whole seconds, derived in queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.times import rfc3339
from telemetry.core.figures.accounting import TimeByState

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.outages import Incident, LostTime, Outage
    from telemetry.queries.impact import Impact
    from telemetry.queries.network import NetworkView


class LostSeconds(ApiModel):
    """Open time in which it was not up: down, and unknown (silence); maintenance and closed time are in neither."""

    down: int = Field(description="seconds down", ge=0)
    unknown: int = Field(description="seconds of which nothing is known", ge=0)

    @classmethod
    def from_lost(cls, lost: LostTime) -> Self:
        """Return lost time in whole seconds; the parts add up to the whole."""
        seconds = TimeByState(0, lost.down_ms, lost.unknown_ms).to_seconds()
        return cls(down=seconds.down, unknown=seconds.unknown)


class IncidentDevice(ApiModel):
    """A device whose own outage lies within its centre's."""

    device: str
    kind: str
    critical: bool
    state: Literal["down", "unknown"] = Field(description="down when any of it was down, else unknown")
    from_: str = Field(serialization_alias="from")
    to: str
    seconds: LostSeconds = Field(description="all that it lost, also outside the window")

    @classmethod
    def from_outage(cls, outage: Outage, network: NetworkView, zone: ZoneInfo) -> Self:
        """Return a device with its own outage."""
        view = network.device(outage.scope.id)
        return cls.build(
            outage,
            device=outage.scope.id,
            kind=view.now.kind,
            critical=view.critical,
            from_=rfc3339(outage.window.start, zone),
            to=rfc3339(outage.window.end, zone),
            seconds=LostSeconds.from_lost(outage.whole),
        )


class IncidentResponse(ApiModel):
    """An outage of a centre, device or system, from the first 5-minute mark to the last; nothing stores it.

    Late data correct it like every other figure.
    """

    scope: str
    centre: str | None = Field(description="the centre where it happened; null for a system")
    name_vi: str = Field(description="Vietnamese name of the centre or system")
    name_en: str = Field(description="English name of the centre or system")
    kind: str = Field(description="level of a centre, kind of a device or system")
    critical: bool
    state: Literal["down", "unknown"] = Field(description="down when any of it was down, else unknown: only silence")
    cause: Literal["device", "link", "probes", "silence"] = Field(
        description="device: it reported so, or devices of the centre did; link: the site's link was dead; probes: too "
        "few vantage points saw the system up; silence: nothing was received and nothing proves why"
    )
    ongoing: bool = Field(description="whether nothing shows that it has ended")
    from_: str = Field(serialization_alias="from")
    to: str | None = Field(description="end, exclusive, on a 5-minute mark; null while it goes on")
    seconds: LostSeconds = Field(description="what it lost within the requested window")
    whole_seconds: LostSeconds = Field(description="what it lost from its beginning to its end, or so far")
    devices: list[IncidentDevice] = Field(description="of a centre: its devices that failed with it, the longest first")
    services: list[str] = Field(description="services whose desks depend on it")
    objectives: list[str] = Field(description="objectives that are counted at its scope")
    owner_agency: str = Field(description="who answers for it; empty when that is not declared")

    @classmethod
    def from_incident(cls, incident: Incident, impact: Impact, network: NetworkView, zone: ZoneInfo) -> Self:
        """Return an incident with its impact."""
        outage = incident.outage
        return cls.build(
            incident,
            impact,
            scope=outage.scope,
            centre=impact.centre or None,
            from_=rfc3339(outage.window.start, zone),
            to=None if incident.ongoing else rfc3339(outage.window.end, zone),
            seconds=LostSeconds.from_lost(incident.lost),
            whole_seconds=LostSeconds.from_lost(outage.whole),
            devices=[IncidentDevice.from_outage(member, network, zone) for member in incident.members],
            services=list(impact.services),
            objectives=list(impact.objectives),
        )
