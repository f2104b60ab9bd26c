"""Alerts as Alertmanager has them now."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from api.alertmanager import AlertmanagerUnavailable, NotificationState
from api.alertmanager_access import AlertmanagerAccess
from api.deps import QueriesDep
from api.schemas.alerts import AlertRow
from api.schemas.envelope import Envelope, ResponseMeta
from telemetry.queries.errors import NotFound

router = APIRouter(tags=["alerts"])


@router.get("/alerts", operation_id="alerts")
def list_alerts(
    request: Request,
    queries: QueriesDep,
    state: Annotated[NotificationState | None, Query(description="only alerts in this state")] = None,
    severity: Annotated[Literal["page", "ticket"] | None, Query(description="only alerts of this severity")] = None,
    centre: Annotated[str | None, Query(description="only alerts of this centre")] = None,
) -> Envelope[list[AlertRow]]:
    """List the alerts of the moment, each once with all its receivers; 404 when no Alertmanager is configured."""
    access: AlertmanagerAccess | None = request.app.state.alertmanager
    if access is None:
        raise NotFound("MOTCUA_ALERTMANAGER", "alertmanager")
    notifications = access.client.read()
    if notifications.problem:
        raise AlertmanagerUnavailable(notifications.problem)
    receivers = defaultdict[str, list[str]](list)
    for group in notifications.groups:
        for alert in group.alerts:
            receivers[alert.fingerprint].append(group.receiver)
    zone = queries.zone()
    rows = [AlertRow.from_alert(a, sorted(set(receivers[a.fingerprint])), zone) for a in notifications.alerts]
    wanted = [
        row
        for row in rows
        if state in (None, row.state) and severity in (None, row.severity) and centre in (None, row.centre)
    ]
    return Envelope(data=wanted, meta=ResponseMeta.current(queries, zone))
