"""What the API says of a system that the province hosts itself: its components, and why it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.schemas.network import ApiState, QuorumCounts, SystemSummary
from api.times import rfc3339_or_none
from telemetry.queries.views import count_states

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.hosted.database_figures import DatabaseFigure
    from telemetry.core.hosted.dependencies import FailureExplanation
    from telemetry.core.inventory import Inventory
    from telemetry.queries.hosted import ComponentView, HostedView
    from telemetry.queries.systems import SystemDetail
    from telemetry.queries.views import SystemView


class HostedDatabaseFigure(ApiModel):
    """One of a database's own figures against what is declared, as `database.figures` reported it last."""

    id: Literal["copy", "archive", "instances", "lag", "disk"]
    state: Literal["good", "bad", "unknown"] = Field(
        description="unknown: not reported, or the report is older than its grace time"
    )
    value: float | None = Field(
        description="copy: age of the newest whole copy, s; archive: since the last change was archived, s; instances "
        "that answer; lag of the last replica, s; disk: share in use of the declared one; null: not reported, or with "
        "state bad: there never was one"
    )
    limit: float = Field(ge=0, description="the most that is good, in the value's unit; of instances the least")

    @classmethod
    def from_figure(cls, figure: DatabaseFigure) -> Self:
        """Return a figure."""
        return cls(id=figure.id, state=figure.state, value=figure.value, limit=figure.limit)


class HostedComponent(ApiModel):
    """A component of a hosted system, as it is seen from inside the cloud."""

    id: str
    system: str = Field(description="the id under which it is probed: /api/v1/systems/{system} and scope=system:ID")
    kind: str
    zone: Literal["dmz", "server", "database"] = Field(description="the zone of the cloud in which it runs")
    state: ApiState
    at: str | None = Field(description="when it was probed last")
    figures: list[HostedDatabaseFigure] = Field(
        description="a database's own figures; copy and archive only where copies are declared; empty for others"
    )
    figures_at: str | None = Field(description="when its own figures were read last")
    calls: list[str] = Field(description="what it depends on: ids under which that is probed, by the declared flows")

    @classmethod
    def from_view(cls, row: ComponentView, zone: ZoneInfo) -> Self:
        """Return a component."""
        seen = row.view.row
        return cls(
            id=row.component.id, system=row.view.system.id, kind=row.component.kind, zone=row.component.zone,
            state=row.view.state, at=rfc3339_or_none(seen.at if seen else None, zone), calls=list(row.calls),
            figures=[HostedDatabaseFigure.from_figure(figure) for figure in row.figures],
            figures_at=rfc3339_or_none(row.figures_at, zone),
        )  # fmt: skip


class HostedPeer(ApiModel):
    """An outside party that a hosted system calls; it is not in the system's own state."""

    id: str
    name_vi: str
    name_en: str
    state: ApiState

    @classmethod
    def from_peer(cls, view: SystemView) -> Self:
        """Return a peer."""
        return cls.build(view.system, state=view.state)


class ClosedPath(ApiModel):
    """A connection that must fail, tried from the zone where it must: to a component, or out to a party."""

    id: str
    name_vi: str
    name_en: str
    state: Literal["closed", "open", "unknown"] = Field(
        description="unknown also while its target answers nobody, because then a failure proves nothing"
    )


class FailureCause(ApiModel):
    """Why a hosted system, or a component of it, does not answer."""

    kind: Literal["component", "network", "unseen"] = Field(
        description="a component failed first; inside everything answers, so the network between; inside is not known"
    )
    system: str = Field(description="the id of what failed first")
    victims: list[str] = Field(description="what it takes down, over all systems")

    @classmethod
    def from_explanation(cls, why: FailureExplanation) -> Self:
        """Return a cause."""
        return cls(kind=why.kind, system=why.cause, victims=list(why.victims))


class HostedSystemFacts(ApiModel):
    """What is declared and seen of a hosted system beside its own state."""

    level: int = Field(description="its level of protection, 1 to 5", ge=1, le=5)
    owner: str = Field(description="the id of the agency that owns it")
    exposure: Literal["internet", "wan", "office", "none"] = Field(description="from where people reach it")
    components: list[HostedComponent] = Field(description="in the order in which a request reaches them")
    path: list[list[str]] = Field(description="ids of the components by step of a request; the last may be jobs")
    peers: list[HostedPeer] = Field(description="outside parties that it calls, as seen from inside the cloud")
    closed_paths: list[ClosedPath] = Field(description="connections that must fail")
    cause: FailureCause | None = Field(description="null while it and all its components answer or are unknown")

    @classmethod
    def from_view(cls, view: HostedView, zone: ZoneInfo) -> Self:
        """Return what is known of a hosted system."""
        return cls(
            level=view.hosted.level,
            owner=view.hosted.owner,
            exposure=view.hosted.exposure,
            components=[HostedComponent.from_view(row, zone) for row in view.components],
            path=[[row.component.id for row in layer] for layer in view.layers],
            peers=[HostedPeer.from_peer(peer) for peer in view.peers],
            closed_paths=[ClosedPath.build(path.system, state=path.state) for path in view.closed_paths],
            cause=None if view.explanation is None else FailureCause.from_explanation(view.explanation),
        )


class SystemDetailResponse(SystemSummary):
    """A digital system with its quorum, and what is declared and seen of it when the province hosts it itself."""

    quorum_of: QuorumCounts
    hosted: HostedSystemFacts | None = Field(description="null for a system that the province does not host itself")

    @classmethod
    def with_quorum(cls, detail: SystemDetail, inventory: Inventory, hosted: HostedView | None) -> Self:
        """Return a digital system in full."""
        points = detail.voting_points
        quorum = QuorumCounts(k=detail.quorum, n=len(points), **count_states(points))
        facts = hosted and HostedSystemFacts.from_view(hosted, inventory.zone)
        return cls.from_detail(detail, inventory, quorum_of=quorum, hosted=facts)
