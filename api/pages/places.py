"""What a page is about: a centre or the province, the days on which it opens, its services' names.

It must not lay out anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.frame.periods import MAX_CENTRE_DAYS, MAX_PROVINCE_DAYS
from telemetry.core.fold.histogram_buckets import HISTOGRAM_BOUNDS_S
from telemetry.core.inventory import UNDECLARED_SERVICE, local_date
from telemetry.queries.period_history import MAX_DAYS_BY_TIME_OF_DAY, DayRange

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries
    from telemetry.queries.views import CentreView

DEFAULT_THRESHOLD_S = 900


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """What a history is about: one centre, or with None the province; and the one service asked for, if any."""

    centre: Centre | None
    service: str | None
    zone: ZoneInfo
    path: str

    @property
    def ident(self) -> str | None:
        """Return the centre's id, None for the province."""
        return self.centre.id if self.centre else None

    @property
    def max_days(self) -> int:
        """Return how many days a page shows at most."""
        return MAX_CENTRE_DAYS if self.centre else MAX_PROVINCE_DAYS


class ServiceNames:
    """The services' names in the page's language, an imported log's own names first; and the centres' names."""

    def __init__(self, queries: Queries, locale: PageLocale, centre: Centre | None = None) -> None:
        own_services = {service.id: service for service in centre.own_services} if centre else {}
        self._centres = {**queries.inventory().centres, **({centre.id: centre} if centre else {})}
        self._services = {**queries.inventory().services, **own_services}
        self._locale = locale

    def __call__(self, service: str) -> str:
        """Return a service's name, its id without one."""
        if service == UNDECLARED_SERVICE and service not in self._services:
            return self._locale.t("undeclared_services")
        return self._locale.name(self._services.get(service), service)

    def centre(self, ident: str) -> str:
        """Return a centre's name, its id without one."""
        return self._locale.name(self._centres.get(ident), ident)


def newest_day(queries: Queries, place: HistoryPlace) -> DayRange:
    """Return the newest day with tickets, today when there is none."""
    newest = queries.newest_day_with_tickets(place.ident)
    return day_of(queries.now() if newest is None else newest, place)


def day_of(at: int, place: HistoryPlace) -> DayRange:
    """Return the local day of a time, Unix ms."""
    day = local_date(at, place.zone)
    return DayRange(day, day, place.zone)


def days_of_import(queries: Queries, place: HistoryPlace) -> DayRange | None:
    """Return the days on which the page of an imported log opens: the newest of the log, at most a month.

    None for other centres, for a log without tickets and for one that is being replayed as of today.
    """
    days = log_days(queries, place, MAX_DAYS_BY_TIME_OF_DAY)
    return None if days is None or days.last == local_date(queries.now(), place.zone) else days


def log_days(queries: Queries, place: HistoryPlace, most: int) -> DayRange | None:
    """Return the newest days of an imported log, at most `most`; None for other centres and without tickets."""
    if place.centre is None or not place.centre.imported:
        return None
    return queries.days_with_tickets(place.centre.id, most)


def threshold_of(queries: Queries) -> int:
    """Return the wait, s, that the share within target is about: today's target where it is an exact bound."""
    target = queries.wait_target()
    return int(target.value) if target and target.value in HISTOGRAM_BOUNDS_S else DEFAULT_THRESHOLD_S


def has_simulated_data(queries: Queries, view: CentreView | None) -> bool:
    """Return whether what a page shows is simulated; an imported log is not, even beside a simulated province."""
    if view is None:
        return queries.network_status().has_simulated_data
    return view.has_simulated_data or (queries.inventory().simulated and not view.centre.imported)
