"""The page of incidents: what broke, from when until when, why, and whom it concerned; it must not derive them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.charts.outages import outage_chart
from api.pages.frame.periods import Period, parse_period, period_query
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.history.picker import PickerLink, period_title
from api.pages.network_context import network_context
from telemetry.core.calendar.windows import day_window, days_in, to_local
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope, ScopeKind
from telemetry.queries.impact import impact_of
from telemetry.queries.incidents import MAX_DAYS
from telemetry.queries.period_history import DayRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.figures.outages import Incident
    from telemetry.queries.impact import Impact
    from telemetry.queries.incidents import IncidentList
    from telemetry.queries.service import Queries

PATH = "/incidents"
PRESET_DAYS = 7
PART_SIZE = 100
_TRAILING_NUMBER = re.compile(r"\d+$")
_SHOWN_NAMES = 2
STATE, KIND = "state", "of"
"""Parameters of the page: only `down` or `unknown`, only `centre`, `device` or `system`."""
_STATES = ("down", "unknown")
_KINDS: tuple[ScopeKind, ...] = ("centre", "system", "device")


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """What of the incidents is shown; empty: all."""

    scope: str = ""
    state: str = ""
    kind: str = ""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> IncidentFilter:
        """Read the page's parameters; a state or kind that there is not is ignored."""
        state, kind = parameters.get(STATE, ""), parameters.get(KIND, "")
        return cls(parameters.get("scope", ""), state if state in _STATES else "", kind if kind in _KINDS else "")

    def admits(self, incident: Incident) -> bool:
        """Return whether an incident is shown."""
        return self.state in ("", incident.state) and self.kind in ("", incident.outage.scope.kind)

    def query(self, days: DayRange, **changed: str) -> str:
        """Return the page's query string for these days with some of the filter changed."""
        return period_query(days, **{"scope": self.scope, STATE: self.state, KIND: self.kind, **changed})


def build_context(queries: Queries, locale: PageLocale, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the template shows; by default today's incidents.  Raises BadPeriod, BadScope or NotFound."""
    zone, chosen = queries.zone(), IncidentFilter.from_parameters(parameters)
    today = local_date(queries.now(), zone)
    days = parse_period(parameters, zone, MAX_DAYS) or DayRange(today, today, zone)
    period = Period(days, today)
    answer = queries.incidents.incidents(chosen.scope or "country", days.window)
    shown = [incident for incident in answer.incidents if chosen.admits(incident)]
    rows = IncidentRows(queries, locale, days)
    title = locale.t("inc_title") if not chosen.scope else f"{locale.t('inc_title')}: {rows.scope_name(chosen.scope)}"
    return {
        **network_context(
            queries,
            title,
            summary_sentence(answer, locale, period),
            _mood(answer, period, stale=queries.network_status().stale),
            follows=period.includes_today,
        ),
        "tables": [rows.table(shown)],
        "chart": outage_chart(shown, days.window, [day_window(d, zone).start for d in days_in(days.window, zone)]),
        "rows": rows,
        "period_title": period_title(period, locale),
        "presets": _presets(locale, period, chosen),
        "neighbours": [
            PickerLink(locale.t(f"previous_{period.unit}"), PATH + chosen.query(period.previous)),
            PickerLink(
                locale.t(f"next_{period.unit}"), PATH + chosen.query(period.following) if period.following else ""
            ),
        ],
        "filters": [_state_links(answer, locale, days, chosen), _kind_links(answer, locale, days, chosen)],
        "days": days,
        "chosen": chosen,
        "twin": "/api/v1/incidents?" + urlencode(_api_parameters(days, chosen)),
    }


def _api_parameters(days: DayRange, chosen: IncidentFilter) -> dict[str, str]:
    following = days.last + timedelta(days=1)
    optional = {"scope": chosen.scope, "state": chosen.state}
    return {
        "from": days.first.isoformat(), "to": following.isoformat(), **{k: v for k, v in optional.items() if v}
    }  # fmt: skip


def summary_sentence(answer: IncidentList, locale: PageLocale, period: Period) -> str:
    """Return how many incidents there were: what was down, by kind, silences, and what goes on."""
    if period.is_ahead:
        return locale.t("inc_ahead")
    if not answer.incidents:
        return locale.t("inc_none")
    kinds = Counter(i.outage.scope.kind for i in answer.incidents if i.state == "down")
    texts = [locale.t(f"inc_n_{kind}", n=kinds[kind]) for kind in _KINDS if kinds[kind]]
    parts = [locale.t("inc_down", parts=", ".join(texts))] if texts else []
    if silent := sum(i.state == "unknown" for i in answer.incidents):
        parts.append(locale.t("inc_n_silent", n=silent))
    if ongoing := sum(i.ongoing for i in answer.incidents):
        parts.append(locale.t("inc_n_ongoing", n=ongoing))
    return " ".join(parts)


def _mood(answer: IncidentList, period: Period, *, stale: bool) -> str:
    """Return the condition in whose colour the page's head is; good only while data arrive and nothing was lost."""
    states = {i.state for i in answer.incidents}
    open_kinds = {i.outage.scope.kind for i in answer.incidents if i.ongoing and i.state == "down"}
    if open_kinds and period.includes_today:
        return "degraded" if open_kinds == {"device"} else "down"
    is_silent = period.includes_today and any(i.ongoing for i in answer.incidents)
    if is_silent or states == {"unknown"}:
        return "unknown"
    if states or not period.includes_today:
        return "period"
    return "unknown" if stale else "operational"


def _presets(locale: PageLocale, period: Period, chosen: IncidentFilter) -> list[PickerLink]:
    """Return the links to the last days, newest first, and to the last seven days together."""
    zone, today = period.days.zone, period.today
    days = [DayRange(day, day, zone) for day in (today - timedelta(days=back) for back in range(PRESET_DAYS))]
    names = [locale.t("inc_today"), locale.t("inc_yesterday"), *(locale.short_day(d.first) for d in days[2:])]
    week = DayRange(today - timedelta(days=PRESET_DAYS - 1), today, zone)
    return [
        PickerLink(name, PATH + chosen.query(d), d == period.days)
        for name, d in zip((*names, locale.t("inc_week", n=PRESET_DAYS)), (*days, week), strict=True)
    ]


def _state_links(
    answer: IncidentList, locale: PageLocale, days: DayRange, chosen: IncidentFilter
) -> list[PickerLink]:  # fmt: skip
    counts = Counter(i.state for i in answer.incidents)
    links = [(value, locale.t(f"inc_only_{value}", n=counts[value])) for value in ("down", "unknown")]
    everything = locale.t("inc_only_all", n=len(answer.incidents))
    return [
        PickerLink(text, PATH + chosen.query(days, **{STATE: value}), value == chosen.state)
        for value, text in (("", everything), *links)
    ]


def _kind_links(
    answer: IncidentList, locale: PageLocale, days: DayRange, chosen: IncidentFilter
) -> list[PickerLink]:  # fmt: skip
    counts = Counter(i.outage.scope.kind for i in answer.incidents)
    links = [(kind, locale.t(f"inc_of_{kind}", n=counts[kind])) for kind in _KINDS]
    return [
        PickerLink(text, PATH + chosen.query(days, **{KIND: kind}), kind == chosen.kind)
        for kind, text in (("", locale.t("inc_of_all")), *links)
    ]


def device_name(locale: PageLocale, ident: str, kind: str) -> str:
    """Return a device as people call it: `Kiosk 1`, of the id `vn83-a-kiosk1`."""
    number = _TRAILING_NUMBER.search(ident)
    word = locale.kind(kind)
    return f"{word[:1].upper()}{word[1:]} {number[0] if number else ident}"


class IncidentRows:
    """Words and table rows of incidents, in a language; `days` are those of the page."""

    def __init__(self, queries: Queries, locale: PageLocale, days: DayRange) -> None:
        self._network, self._slos = queries.network(), queries.slo_index()
        self._locale, self._days = locale, days
        self._services = self._network.inventory.services

    def scope_name(self, scope: str) -> str:
        """Return the name of a scope that a page is about; raises NotFound."""
        parsed = Scope(scope)
        if parsed.kind not in _KINDS:
            return self._locale.name(self._network.inventory)
        return self.name(parsed, impact_of(self._network, self._slos, parsed))

    def name(self, scope: Scope, impact: Impact) -> str:
        """Return what broke, in words."""
        return device_name(self._locale, scope.id, impact.kind) if scope.kind == "device" else self._locale.name(impact)

    def label(self, incident: Incident) -> str:
        """Return what broke and where, on one line."""
        impact = impact_of(self._network, self._slos, incident.outage.scope)
        name = self.name(incident.outage.scope, impact)
        return f"{name} – {self._locale.name(impact)}" if incident.outage.scope.kind == "device" else name

    def href(self, incident: Incident) -> str:
        """Return the page of what broke on the day of the incident."""
        scope, start = incident.outage.scope, max(incident.outage.window.start, self._days.window.start)
        day = to_local(start, self._days.zone).date()
        return f"/{scope.kind}s/{scope.id}" + period_query(DayRange(day, day, self._days.zone))

    def span(self, incident: Incident) -> str:
        """Return from when until when, on one line."""
        return f"{self._time(incident.outage.window.start)} – {self._end(incident)}"

    def table(self, incidents: Sequence[Incident]) -> PageTable:
        """Return the table of the incidents."""
        t = self._locale.t
        columns = (
            TableColumn("what", t("inc_what")),
            TableColumn("state", t("inc_state"), "state", prefix="inc_state_"),
            TableColumn("from", t("inc_from"), "time"),
            TableColumn("to", t("inc_to"), "time"),
            TableColumn("down_s", t("inc_down_time"), "minutes"),
            TableColumn("unknown_s", t("inc_silent_time"), "minutes"),
            TableColumn("cause", t("inc_cause")),
            TableColumn("concerns", t("inc_concerns")),
        )
        return PageTable("incidents", t("inc_title"), columns, tuple(map(self._row, incidents)), PART_SIZE)

    def _row(self, incident: Incident) -> PageTableRow:
        scope, window = incident.outage.scope, incident.outage.window
        impact = impact_of(self._network, self._slos, scope)
        where = self._locale.name(impact) if scope.kind == "device" else self._locale.t(f"inc_kind_{scope.kind}")
        return PageTableRow(
            (
                TableCell(self.name(scope, impact), href=self.href(incident), note=where),
                TableCell(incident.state),
                TableCell(window.start, self._time(window.start)),
                TableCell(None if incident.ongoing else window.end, self._end(incident)),
                self._duration(incident.lost.down_ms, incident.outage.whole.down_ms),
                self._duration(incident.lost.unknown_ms, incident.outage.whole.unknown_ms),
                TableCell(self._locale.t(f"inc_cause_{incident.cause}"), note=self._members(incident)),
                TableCell(self._services_text(impact), note=self._objectives_text(impact)),
            )
        )

    def _time(self, t: int) -> str:
        """Return the time of day; with the date when that is not the page's only day."""
        day = to_local(t, self._days.zone).date()
        return self._locale.clock(t) if self._days.first == self._days.last == day else self._locale.date_and_time(t)

    def _end(self, incident: Incident) -> str:
        return self._locale.t("inc_ongoing") if incident.ongoing else self._time(incident.outage.window.end)

    def _duration(self, ms: int, whole_ms: int) -> TableCell:
        """Return the time lost on the page's days; below it that of the whole incident when that is more."""
        if not whole_ms:
            return TableCell(None)
        note = self._locale.t("inc_of_whole", whole=self.duration(whole_ms)) if whole_ms > ms else ""
        return TableCell(ms / 1000, self.duration(ms), note=note)

    def duration(self, ms: int) -> str:
        """Return a length in minutes, from two hours on in hours and minutes."""
        minutes = round(ms / 60_000)
        if minutes < 120:
            return self._locale.minutes(ms / 1000)
        return self._locale.t("inc_hours", h=minutes // 60, m=minutes % 60)

    def _members(self, incident: Incident) -> str:
        if not incident.members:
            return ""
        names = [self._member_name(o.scope) for o in incident.members]
        return self._locale.t("inc_members", names=self._first_names(names))

    def _member_name(self, scope: Scope) -> str:
        return device_name(self._locale, scope.id, self._network.device(scope.id).now.kind)

    def _services_text(self, impact: Impact) -> str:
        """Return the service that depends on it, or how many do."""
        if len(impact.services) == 1:
            return self._locale.name(self._services.get(impact.services[0]), impact.services[0])
        return self._locale.t("inc_services", n=len(impact.services)) if impact.services else ""

    def _objectives_text(self, impact: Impact) -> str:
        return self._locale.t("inc_objectives", n=len(impact.objectives)) if impact.objectives else ""

    def _first_names(self, names: Sequence[str]) -> str:
        """Return the first names, and how many more there are."""
        shown = ", ".join(names[:_SHOWN_NAMES])
        more = len(names) - _SHOWN_NAMES
        return self._locale.t("inc_and_more", names=shown, n=more) if more > 0 else shown
