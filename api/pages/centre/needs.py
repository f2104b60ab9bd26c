"""What needs the head of a centre now, in words with links: reasons, devices, budgets, half hours, tomorrow's counters.

It must not judge anything: conditions, states and flags are those of the queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.frame.periods import period_query
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.pages.centre.forecast import ForecastSection
    from api.pages.frame.language import PageLocale
    from api.pages.frame.links import PageLinks
    from telemetry.core.figures.condition import Reason
    from telemetry.queries.service import Queries
    from telemetry.queries.views import CentreView, DeviceView

MAX_DEVICES = 4
"""So many devices are named one by one; of more the table below has all."""
_QUEUE_REASONS = ("longest_wait", "within_target_low", "queue_growing")


@dataclass(frozen=True, slots=True)
class NeedLine:
    """One thing: its symbol and word, what it is, and where it is explained ("": nowhere)."""

    state: str
    prefix: str
    text: str
    href: str


def objective_href(links: PageLinks, ident: str, scope: str) -> str:
    """Return the page of an objective at one scope, empty when it is not served."""
    href = links.objective(ident)
    return f"{href}?scope={scope}" if href else ""


def build_needs(
    queries: Queries, locale: PageLocale, view: CentreView, forecast: ForecastSection, links: PageLinks
) -> list[NeedLine]:
    """Return what needs attention, what is wrong now first; empty when nothing does."""
    return [
        *(_reason_line(reason, view, locale) for reason in view.assessment.reasons),
        *_device_lines(view, locale, links),
        *_objective_lines(queries, locale, view, links),
        *_flag_lines(forecast, view, locale),
        *_staffing_lines(forecast, locale),
    ]


def _reason_line(reason: Reason, view: CentreView, locale: PageLocale) -> NeedLine:
    anchor = "#live-queues" if reason.code in _QUEUE_REASONS else "#live-devices"
    if reason.code == "objectives_exhausted":
        anchor = "#live-objectives"
    return NeedLine(view.condition, "cond_", locale.reason(reason, view.now), anchor)


def _device_lines(view: CentreView, locale: PageLocale, links: PageLinks) -> Iterator[NeedLine]:
    """Yield the devices that are down or silent while the centre is open, those first without which it cannot work."""
    if not view.open or view.stale:
        return
    broken = [device for device in view.devices_in_service if device.state != "up"]
    for device in sorted(broken, key=_device_order)[:MAX_DEVICES]:
        text = f"{device.now.id} ({locale.kind(device.now.kind)})"
        if device.now.last_event is not None:
            text = locale.t("need_device", device=text, at=locale.since(device.now.last_event, view.now))
        yield NeedLine(device.state, "state_", text, links.device(device.now.id, view.centre.id))


def _device_order(device: DeviceView) -> tuple[bool, bool, str]:
    return (not device.critical, device.state != "down", device.now.id)


def _objective_lines(
    queries: Queries, locale: PageLocale, view: CentreView, links: PageLinks
) -> Iterator[NeedLine]:  # fmt: skip
    scope = Scope.centre(view.centre.id)
    for slo in queries.slo_index().at_scope(scope):
        if slo.slo_state in ("exhausted", "at_risk"):
            href = objective_href(links, slo.objective.id, scope)
            yield NeedLine(slo.slo_state, "slo_", locale.name(slo.objective), href)


def _flag_lines(forecast: ForecastSection, view: CentreView, locale: PageLocale) -> Iterator[NeedLine]:
    """Yield today's half hours that stood out; those of earlier days are in the section of the forecast."""
    today = local_date(view.now, view.centre.zone)
    href = f"/centres/{view.centre.id}" + period_query(DayRange(today, today, view.centre.zone))
    for flag in forecast.flags:
        if flag.day == today:
            text = locale.t("need_flag", at=flag.at, what=f"{'; '.join(flag.measures)}. {flag.cause}")
            yield NeedLine("busy", "need_", text, href)


def _staffing_lines(forecast: ForecastSection, locale: PageLocale) -> Iterator[NeedLine]:
    missing = [line for line in forecast.lines if line.staffing is not None and line.staffing.missing]
    if forecast.has_roster and missing:
        most = max(line.staffing.missing for line in missing if line.staffing is not None)
        text = locale.t("need_counters", day=locale.day(forecast.day), n=most, at=missing[0].label)
        yield NeedLine("at_risk", "need_", text, "#forecast")
