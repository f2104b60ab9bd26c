"""Badges as inline SVG: a name and a state; without fonts, scripts or pictures of other hosts."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.deps import QueriesDep
from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import PageLocale
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.figures.accounting import covered_ratio
from telemetry.core.scope import Scope
from telemetry.queries.slos import SLO_STATES, sum_slos

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.pages.frame.catalogues import LanguageCode
    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.core.figures.condition import Condition
    from telemetry.queries.service import Queries

router = APIRouter(tags=["badges"])
BadgeWindow = Literal["1d", "7d", "28d", "90d"]
LanguageParam = Annotated[Literal["vi", "en"], Query(description="language of the badge")]
BadgeWindowParam = Annotated[
    BadgeWindow, Query(description="the window of the figure; an objective has its own period")
]
_GOOD, _WARN, _BAD, _MUTE = "#1b6e3c", "#8a5a00", "#a3161c", "#595959"
"""White text on each has a contrast of at least 4.5:1."""
COLOUR_BY_SLO_STATE = {"healthy": _GOOD, "at_risk": _WARN, "exhausted": _BAD, "no_data": _MUTE}
COLOUR_BY_CONDITION: Mapping[Condition, str] = {
    "operational": _GOOD, "closed": _GOOD, "busy": _WARN, "below_target": _WARN, "degraded": _WARN, "overloaded": _BAD,
    "down": _BAD, "unknown": _MUTE, "planned": _MUTE, "retired": _MUTE, "imported": _MUTE,
}  # fmt: skip
"""The colour of a place's badge: that of its one condition."""
_CHAR_WIDTH, _PADDING, _HEIGHT = 7, 8, 22


class SvgResponse(Response):
    """An SVG document."""

    media_type = "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Badge:
    """Two fields, the colour of the second and the text for screen readers."""

    label: str
    value: str
    colour: str
    detail: str


def render_svg(badge: Badge, lang: str) -> str:
    """Draw a badge; the width of a letter is an estimate, so the text is fitted to it."""
    label_width, value_width = (_CHAR_WIDTH * len(text) + 2 * _PADDING for text in (badge.label, badge.value))
    label, value, detail = (escape(text) for text in (badge.label, badge.value, badge.detail))
    width = label_width + value_width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" lang="{lang}" width="{width}" height="{_HEIGHT}" role="img" '
        f'viewBox="0 0 {width} {_HEIGHT}" aria-labelledby="t d"><title id="t">{label}: {value}</title>'
        f'<desc id="d">{detail}</desc><rect width="{label_width}" height="{_HEIGHT}" fill="#333"/>'
        f'<rect x="{label_width}" width="{value_width}" height="{_HEIGHT}" '
        f'fill="{badge.colour}"/>'
        f'<g fill="#fff" font-family="sans-serif" font-size="12">{_render_text(_PADDING, label, label_width)}'
        f"{_render_text(label_width + _PADDING, value, value_width)}</g></svg>"
    )


def _render_text(x: int, text: str, width: int) -> str:
    return f'<text x="{x}" y="15" textLength="{width - 2 * _PADDING}" lengthAdjust="spacingAndGlyphs">{text}</text>'


def _svg_response(badge: Badge, lang: str) -> Response:
    return SvgResponse(render_svg(badge, lang), headers={"Cache-Control": "max-age=60"})


def _locale_for(queries: Queries, lang: LanguageCode) -> PageLocale:
    return PageLocale(lang, load_messages()[lang], queries.zone())


@router.get("/badges/slo/{slo}.svg", operation_id="badge_slo", response_class=SvgResponse)
def get_slo_badge(
    slo: str, queries: QueriesDep, lang: LanguageParam = "vi", window: BadgeWindowParam | None = None
) -> Response:
    """Draw an objective over all its scopes, coloured by the worst state of them."""
    del window  # an objective has its declared period
    slo_index, locale = queries.slo_index(), _locale_for(queries, lang)
    objective = slo_index.objective(slo)
    scoped_slos = slo_index.for_slo(slo)
    account, good_bad = sum_slos(scoped_slos)
    worst = min((r.slo_state for r in scoped_slos), key=SLO_STATES.index, default="no_data")
    ratio = covered_ratio(good_bad.ratio, account, queries.inventory().coverage_floor)
    detail = _format_detail(locale, ratio, objective.days)
    colour = _MUTE if ratio.form == "range" else COLOUR_BY_SLO_STATE[worst]
    return _svg_response(Badge(locale.name(objective), _format_ratio(locale, ratio), colour, detail), lang)


@router.get("/badges/centre/{centre}.svg", operation_id="badge_centre", response_class=SvgResponse)
def get_centre_badge(
    centre: str, queries: QueriesDep, lang: LanguageParam = "vi", window: BadgeWindowParam = "28d"
) -> Response:
    """Draw a centre's availability in opening hours."""
    locale = _locale_for(queries, lang)
    view = queries.centre(centre)
    place = BadgePlace(Scope.centre(centre), locale.name(view.centre), view.condition)
    return _svg_response(_availability_badge(queries, locale, place, window), lang)


@router.get("/badges/system/{system}.svg", operation_id="badge_system", response_class=SvgResponse)
def get_system_badge(
    system: str, queries: QueriesDep, lang: LanguageParam = "vi", window: BadgeWindowParam = "28d"
) -> Response:
    """Draw a digital system's availability round the clock."""
    locale = _locale_for(queries, lang)
    view = queries.network().system(system)
    place = BadgePlace(Scope.system(system), locale.name(view.system), view.condition)
    return _svg_response(_availability_badge(queries, locale, place, window), lang)


@dataclass(frozen=True, slots=True)
class BadgePlace:
    """What a badge is about, and its condition."""

    scope: Scope
    name: str
    condition: Condition


def _availability_badge(queries: Queries, locale: PageLocale, place: BadgePlace, window: BadgeWindow) -> Badge:
    """Return a place's badge: the availability is of the window, the condition of now; grey without a point."""
    days = int(window.removesuffix("d"))
    now = queries.now()
    result = queries.availability(place.scope, Window(now - days * DAY, now))
    ratio = result.ratio_of(result.overall)
    detail = _format_detail(locale, ratio, days)
    condition = locale.t(f"cond_{place.condition}")
    colour = COLOUR_BY_CONDITION[place.condition] if ratio.form == "point" else _MUTE
    return Badge(place.name, _format_ratio(locale, ratio), colour, f"{detail}; {condition}")


def _format_ratio(locale: PageLocale, ratio: CoveredRatio) -> str:
    return locale.t("badge_none") if ratio.form == "none" else locale.covered_ratio(ratio)


def _format_detail(locale: PageLocale, ratio: CoveredRatio, days: int) -> str:
    values = {"value": _format_ratio(locale, ratio), "coverage": locale.percent(ratio.coverage)}
    return locale.t("badge_detail", n=days, **values)
