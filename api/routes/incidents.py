"""What broke in a window, at which centre, device or system, for how long and why."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.paging import PageParam
from api.schemas.envelope import WindowEnvelope, WindowMeta
from api.schemas.incidents import IncidentResponse
from api.times import WindowParam
from telemetry.core.figures.outages import incident_order
from telemetry.queries.impact import impact_of

router = APIRouter()


@router.get("/incidents", operation_id="incidents", tags=["incidents"], response_model=WindowEnvelope[IncidentResponse])
def list_incidents(
    queries: QueriesDep,
    span: WindowParam,
    page: PageParam,
    gate: HeavyQueryDep,
    scope: Annotated[
        str, Query(description="centre:ID, device:ID, system:ID, province:ID or country; the last two with all systems")
    ] = "country",
    state: Annotated[
        Literal["down", "unknown"] | None, Query(description="only incidents with time down, or only silences")
    ] = None,
) -> Response:
    """List the incidents that touch a window, those that go on first, then the longest; by default the last 24 hours.

    At most 31 days, of one centre, device or system 366.
    """
    asked = queries.incidents.query(scope, lambda zone: span.resolve(zone, queries.last_24_hours))

    def build() -> WindowEnvelope[IncidentResponse]:
        answer, network, slos = queries.incidents.answer(asked), queries.network(), queries.slo_index()
        rows = [incident for incident in answer.incidents if state in (None, incident.state)]
        part, following = page.slice_rows(rows, incident_order)
        data = [
            IncidentResponse.from_incident(i, impact_of(network, slos, i.outage.scope), network, answer.zone)
            for i in part
        ]
        meta = WindowMeta.for_window(queries, answer.window, answer.zone, None)
        return WindowEnvelope[IncidentResponse](data=data, meta=meta, next=following)

    return gate.answer(asked.cost, build)
