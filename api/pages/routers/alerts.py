"""The page of notifications, and its forms that acknowledge, silence and end silences through Alertmanager.

Every form carries the operator's name and key, so that no other site can send one on somebody's behalf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.alertmanager import ACKNOWLEDGED_PREFIX, AlertmanagerUnavailable
from api.deps import QueriesDep
from api.pages.frame.responses import get_renderer, show_page
from api.pages.monitoring import alerts as alerts_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.alertmanager_access import AlertmanagerAccess
    from telemetry.queries.service import Queries

router = APIRouter(include_in_schema=False)
_log = structlog.get_logger()
MAX_FORM_BYTES = 8_192
MAX_NOTE_LENGTH = 200


def get_access(request: Request) -> AlertmanagerAccess | None:
    """Return how the app reaches Alertmanager; None without one."""
    access: AlertmanagerAccess | None = request.app.state.alertmanager
    return access


async def read_form(request: Request) -> Mapping[str, str]:
    """Return a form's fields; those of a body that is too long are not read."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


FormDep = Annotated["Mapping[str, str]", Depends(read_form)]


@router.get("/alerts", response_class=Response)
def show_alerts(request: Request, queries: QueriesDep) -> Response:
    """Show the alerts as Alertmanager groups them."""
    return _show(request, queries, "", 200)


@router.post("/alerts", response_class=Response)
def change_silence(request: Request, queries: QueriesDep, form: FormDep) -> Response:
    """Acknowledge or silence an alert, or end a silence; then show the page again."""
    access = get_access(request)
    if access is None or access.operators is None:
        return _show(request, queries, "alerts_error_no_operators", 403)
    name = form.get("name", "")
    if not access.operators.admits(name, form.get("key", "")):
        _log.warning("operator_refused", operator=name[:64])
        return _show(request, queries, "alerts_error_key", 403, form)
    try:
        problem = _apply(access, form, name)
    except AlertmanagerUnavailable as error:
        _log.warning("silence_not_set", operator=name, error=str(error))
        problem = "alerts_error_unavailable"
    if problem:
        return _show(request, queries, problem, 502 if problem == "alerts_error_unavailable" else 422, form)
    return RedirectResponse(f"/alerts?done={form['action']}", 303)


def _apply(access: AlertmanagerAccess, form: Mapping[str, str], name: str) -> str:
    """Do what a form asks for; return the key of what is wrong with it, or nothing."""
    action = form.get("action", "")
    if action == "end":
        access.client.end_silence(form.get("silence", ""))
        _log.info("silence_ended", operator=name, silence=form.get("silence", ""))
        return ""
    hours, note = form.get("hours", ""), " ".join(form.get("note", "").split())
    if action not in {"acknowledge", "silence"} or hours not in {str(h) for h in alerts_page.SILENCE_HOURS}:
        return "alerts_error_form"
    if not note or len(note) > MAX_NOTE_LENGTH:
        return "alerts_error_note"
    alert = {alert.fingerprint: alert for alert in access.client.read().alerts}.get(form.get("fingerprint", ""))
    if alert is None:
        return "alerts_error_ended"
    comment = f"{ACKNOWLEDGED_PREFIX}{note}" if action == "acknowledge" else note
    access.client.set_silence(alert.labels, int(hours), name, comment)
    _log.info("alert_" + action + "d", operator=name, labels=dict(alert.labels), hours=int(hours), note=note)
    return ""


def _show(
    request: Request, queries: Queries, problem: str, status: int, form: Mapping[str, str] | None = None
) -> Response:
    """Show the page; what was entered in a form that could not be done stands in it again, but for the key."""
    access, served = get_access(request), get_renderer(request).paths
    notifications = access.client.read() if access else None
    done = request.query_params.get("done", "")
    own = {
        "form_problem": problem,
        "entered": {name: (form or {}).get(name, "") for name in ("fingerprint", "note", "hours", "name")},
        "done": done if done in {"acknowledge", "silence", "end"} else "",
        "has_operators": access is not None and access.operators is not None,
    }
    response = show_page(
        request,
        queries,
        "alerts.html",
        lambda locale: {**alerts_page.build_context(queries, locale, notifications, served), **own},
    )
    response.status_code = status
    return response
