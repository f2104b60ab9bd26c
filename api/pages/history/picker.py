"""The date picker of a page: its form, neighbours and units, as links. It must not read the store itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.frame.periods import HISTORY_LENGTHS, LENGTH, Period, period_query
from api.pages.places import ServiceNames, log_days
from telemetry.core.inventory import local_date
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from api.pages.places import HistoryPlace
    from telemetry.queries.service import Queries


@dataclass(frozen=True, slots=True)
class PickerLink:
    """A link of the date picker; without an address it cannot be followed now."""

    text: str
    href: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class DatePicker:
    """The date picker of a page: form fields (ISO days), neighbours, units and the services to choose from."""

    path: str
    title: str
    first: str
    last: str
    today: str
    service: str
    services: tuple[tuple[str, str], ...]
    previous: PickerLink
    following: PickerLink
    units: tuple[PickerLink, ...]
    max_days: int


def length_links(locale: PageLocale, path: str, recent: DayRange) -> list[PickerLink]:
    """Return the links to the lengths of time that a page's uptime bars may have."""
    return [
        PickerLink(locale.t("strip_length", n=days), f"{path}?{LENGTH}={days}", days == recent.days)
        for days in HISTORY_LENGTHS
    ]


def build_picker(queries: Queries, locale: PageLocale, place: HistoryPlace, period: Period | None) -> DatePicker:
    """Return the date picker; a page of the present has no period."""
    today = local_date(queries.now(), place.zone)
    shown = period or Period(DayRange(today, today, place.zone), today)
    service, unit = place.service or "", period.unit if period else None
    words = shown.unit
    following = shown.following

    def address(days: DayRange | None) -> str:
        return place.path + period_query(days, service=service) if days else ""

    units = [
        PickerLink(locale.t(f"unit_{name}"), address(shown.as_unit(name)), name == unit)
        for name in ("day", "week", "month")
    ]
    names = ServiceNames(queries, locale, place.centre)
    service_ids = place.centre.services if place.centre else tuple(queries.inventory().services)
    if service and service not in service_ids:
        service_ids = (*service_ids, service)
    return DatePicker(
        path=place.path,
        title=locale.t("live_today") if period is None else period_title(period, locale),
        first=shown.days.first.isoformat() if period else "",
        last=shown.days.last.isoformat() if period else "",
        today=today.isoformat(),
        service=service,
        services=tuple((ident, names(ident)) for ident in service_ids),
        previous=PickerLink(locale.t(f"previous_{words}"), address(shown.previous)),
        following=PickerLink(locale.t(f"next_{words}"), address(following)),
        units=(_default_link(queries, locale, place, period), *units),
        max_days=place.max_days,
    )


def _default_link(queries: Queries, locale: PageLocale, place: HistoryPlace, period: Period | None) -> PickerLink:
    """Return the link to the present; of an imported log to all its days."""
    whole = log_days(queries, place, place.max_days)
    if whole is None:
        return PickerLink(locale.t("today_live"), place.path, period is None)
    is_current = period is not None and period.days == whole
    return PickerLink(locale.t("whole_log"), place.path + period_query(whole), is_current)


def period_title(period: Period, locale: PageLocale) -> str:
    """Return how a period is named."""
    first = period.days.first
    if period.unit == "day":
        return locale.day(first)
    if period.unit == "month":
        return locale.t("title_month", month=locale.month(first))
    return locale.t(f"title_{period.unit}", **day_texts(period.days, locale))


def day_texts(days: DayRange, locale: PageLocale) -> dict[str, str]:
    """Return a range of days as the values of a message."""
    return {"first": locale.plain_date(days.first), "last": locale.plain_date(days.last)}
