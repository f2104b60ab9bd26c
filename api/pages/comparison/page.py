"""The page that sets one place over two periods, or several centres over one, side by side. It must not read the store.

The figures and verdicts are those of `telemetry.core.figures.comparison`; this module chooses what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.comparison.charts import comparison_charts
from api.pages.comparison.choices import (
    MAX_CENTRES,
    PERIOD_PAIRS,
    PeriodPair,
    choose_periods,
    max_days,
    read_centres,
    read_pair,
)
from api.pages.comparison.tables import ComparedColumn, comparison_table, headline, verdict_sentence, wait_comparison
from api.pages.frame.freshness import Freshness
from api.pages.frame.render import STATE_ICONS
from api.pages.places import ServiceNames, has_simulated_data, threshold_of
from api.times import rfc3339
from telemetry.core.calendar.windows import to_local
from telemetry.queries.comparison import ComparedSubject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from api.pages.comparison.choices import TwoPeriods
    from api.pages.frame.language import PageLocale
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries

VERDICT_ICONS = {
    "better": "✓", "worse": "✕", "more": "↑", "fewer": "↓", "same": "≈", "too_few": "?", "no_data": "–",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CompareForm:
    """The fields of the form as they were chosen; `options` are the centres to choose from, "name (id)"."""

    centres: tuple[str, ...]
    options: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    pair: str
    days: tuple[str, str, str, str]
    service: str
    services: tuple[tuple[str, str], ...]
    hrefs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is compared: the centres (none: the province), the periods, the service, and why others were not taken."""

    centres: Sequence[Centre]
    periods: TwoPeriods
    service: str | None
    zone: ZoneInfo
    note: str = ""


def build_context(queries: Queries, locale: PageLocale, params: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the template shows.  Raises NotFound or BadPeriod for what cannot be compared."""
    choice = _choose(queries, locale, params)
    columns = _columns(queries, locale, choice)
    threshold_s = threshold_of(queries)
    sides = [column.side for column in columns]
    # Of two sides the first is judged by the second; of more, every other one by the first.
    pairs = [(sides[0], sides[1])] if len(sides) == 2 else [(side, sides[0]) for side in sides[1:]]
    compared = [queries.comparisons.compare(*pair, threshold_s) for pair in pairs]
    status = queries.network_status()
    table = comparison_table(locale, columns, compared, threshold_s)
    return {
        "title": _title(queries, locale, choice),
        "sentence": headline(locale, columns, compared),
        "judged": verdict_sentence(locale, compared[0], threshold_s) if len(columns) == 2 else "",
        "note": choice.note,
        "settled_href": _settled_href(choice, wait_comparison(compared[0]).verdict) if len(columns) == 2 else "",
        "columns": columns,
        "tables": [table],
        "charts": comparison_charts(locale, columns, choice.periods.pair, queries.wait_target()),
        "form": _form(queries, locale, choice, params),
        "mood": _mood(wait_comparison(compared[0]).verdict) if len(columns) == 2 else "period",
        "icons": {**STATE_ICONS, **VERDICT_ICONS},
        "until": queries.comparisons.settled_hour(),
        "api_href": _api_href(columns, choice),
        "stale": False,
        "last_data": None,
        "simulated": has_simulated_data(queries, None),
        "now": queries.now(),
        "freshness": Freshness(status.last_data, queries.now(), follows=False),
        "health": queries.store_stats(),
        "inventory": queries.inventory(),
    }  # fmt: skip


def _choose(queries: Queries, locale: PageLocale, params: Mapping[str, str]) -> _Choice:
    centres = read_centres(params, queries.network().centres())
    zone = centres[0].zone if centres else queries.inventory().zone
    service = params.get("service") or None
    if service is not None:
        queries.check_service(service, centres)
    periods = compared_periods(queries, params, centres, service)
    chosen = read_pair(params) or "week"
    note = "" if periods.pair == chosen else locale.t("cmp_not_begun", period=locale.t(f"cmp_first_{chosen}"))
    return _Choice(centres, periods, service, zone, note)


def compared_periods(
    queries: Queries, params: Mapping[str, str], centres: Sequence[Centre] = (), service: str | None = None
) -> TwoPeriods:
    """Return the periods of a comparison; by default this week's, or the last one's while this one has no tickets.

    Raises NotFound or BadPeriod.
    """
    zone, until = centres[0].zone if centres else queries.inventory().zone, queries.comparisons.settled_hour()
    pair, most = read_pair(params), max_days(centres[0] if centres else None)
    periods = choose_periods(pair or "week", params, zone, until, most)
    if periods.first is None or (pair is None and not _has_tickets(queries, centres, periods.first, service)):
        return choose_periods(_SETTLED_PAIRS.get(periods.pair, "last-week"), params, zone, until, most)
    return periods


_SETTLED_PAIRS: Mapping[PeriodPair, PeriodPair] = {
    "week": "last-week", "week-last-year": "last-week", "month": "last-month", "month-last-year": "last-month",
}  # fmt: skip
"""The pair of whole periods that is shown, or offered, while the present period has too little to tell."""


def _has_tickets(queries: Queries, centres: Sequence[Centre], window: Window, service: str | None) -> bool:
    ident = centres[0].id if centres else None
    return bool(queries.comparisons.side(ComparedSubject(ident, window, service)).period.days)


def _columns(queries: Queries, locale: PageLocale, choice: _Choice) -> list[ComparedColumn]:
    first, pair = choice.periods.first or choice.periods.second, choice.periods.pair
    if len(choice.centres) > 1:
        subjects = [(locale.name(c), ComparedSubject(c.id, first, choice.service)) for c in choice.centres]
    else:
        ident = choice.centres[0].id if choice.centres else None
        subjects = [
            (locale.t(f"cmp_first_{pair}"), ComparedSubject(ident, first, choice.service)),
            (locale.t(f"cmp_second_{pair}"), ComparedSubject(ident, choice.periods.second, choice.service)),
        ]
    return [
        ComparedColumn(name, window_dates(locale, subject.window, choice.zone), _history_href(subject, choice.zone),
                       queries.comparisons.side(subject), is_place=len(choice.centres) > 1)
        for name, subject in subjects
    ]  # fmt: skip


def window_dates(locale: PageLocale, window: Window, zone: ZoneInfo) -> str:
    """Return a window's days, and its end when that is within a day."""
    first, end = to_local(window.start, zone), to_local(window.end, zone)
    last = to_local(window.end - 1, zone)
    text = f"{locale.plain_date(first.date())} – {locale.plain_date(last.date())}"
    return text if end.hour == 0 and end.minute == 0 else f"{text}, {locale.clock(window.end)}"


def _history_href(subject: ComparedSubject, zone: ZoneInfo) -> str:
    path = f"/centres/{subject.centre}" if subject.centre else "/"
    first, last = (to_local(t, zone).date().isoformat() for t in (subject.window.start, subject.window.end - 1))
    fields = {"from": first, "to": last, "service": subject.service or ""}
    return f"{path}?" + urlencode({name: value for name, value in fields.items() if value})


def _title(queries: Queries, locale: PageLocale, choice: _Choice) -> str:
    if len(choice.centres) > 1:
        place = locale.t("cmp_title_centres", n=len(choice.centres))
    else:
        place = locale.name(choice.centres[0] if choice.centres else queries.inventory())
    if choice.service:
        place += " · " + ServiceNames(queries, locale)(choice.service)
    return f"{locale.t('cmp_title')} · {place}"


def _mood(verdict: str | None) -> str:
    return {"better": "better", "worse": "worse", "same": "same"}.get(verdict or "", "too_few")


def _form(queries: Queries, locale: PageLocale, choice: _Choice, params: Mapping[str, str]) -> CompareForm:
    names = [f"{locale.name(c)} ({c.id})" for c in choice.centres]
    options = tuple(f"{locale.name(c)} ({c.id})" for c in queries.network().centres())
    services = ServiceNames(queries, locale)
    shown = min(MAX_CENTRES, max(2, len(names) + 1))
    return CompareForm(
        centres=tuple(names + [""] * (shown - len(names))),
        options=options,
        pairs=tuple((pair, locale.t(f"cmp_pair_{pair}")) for pair in PERIOD_PAIRS),
        pair=choice.periods.pair,
        days=tuple(params.get(name, "") for name in ("from", "to", "from2", "to2")),  # type: ignore[arg-type]
        service=choice.service or "",
        services=tuple((ident, services(ident)) for ident in queries.inventory().services),
        hrefs={pair: _own_href(choice, pair) for pair in PERIOD_PAIRS if pair != "own"},
    )


def _own_href(choice: _Choice, pair: PeriodPair) -> str:
    """Return the page of the same places and service over another pair of periods."""
    fields = {"periods": pair, **{f"centre{n}": c.id for n, c in enumerate(choice.centres, 1)}}
    return "/compare?" + urlencode({**fields, **({"service": choice.service} if choice.service else {})})


def _settled_href(choice: _Choice, verdict: str | None) -> str:
    """Return the page of the periods before, when the present one has too few days to tell."""
    before = _SETTLED_PAIRS.get(choice.periods.pair)
    return _own_href(choice, before) if before and verdict in ("too_few", "no_data") else ""


def _api_href(columns: Sequence[ComparedColumn], choice: _Choice) -> str:
    """Return the address of the same comparison in the API: of the first two columns."""
    first, second = (column.side.subject for column in columns[:2])
    fields: dict[str, str] = {"centre": first.centre or "", "other_centre": second.centre or ""}
    for prefix, window in (("", first.window), ("other_", second.window)):
        fields[f"{prefix}from"] = rfc3339(window.start, choice.zone)
        fields[f"{prefix}to"] = rfc3339(window.end, choice.zone)
    fields["service"] = choice.service or ""
    return "/api/v1/comparison?" + urlencode({name: value for name, value in fields.items() if value})
