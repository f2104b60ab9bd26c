"""Badges as inline SVG: what something is, and how it stands; no font, script or picture from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.deps import Asked
from api.pages.language import Words, load_words
from telemetry.core.calendar.windows import DAY, Window
from telemetry.queries.slos import STANDINGS, summed

if TYPE_CHECKING:
    from api.pages.language import Lang
    from telemetry.core.figures.accounting import Account
    from telemetry.queries import Queries

router = APIRouter(tags=["badges"])
Span = Literal["1d", "7d", "28d", "90d"]
Language = Annotated[Literal["vi", "en"], Query(description="words of the badge")]
Over = Annotated[Span, Query(description="the time looked at; an objective has its own")]
COLOURS = {"healthy": "#1b6e3c", "at_risk": "#8a5a00", "exhausted": "#a3161c", "no_data": "#595959"}
"""White text on each has a contrast of at least 4.5:1."""
_CHAR, _PAD, _HEIGHT = 7, 8, 22


@dataclass(frozen=True, slots=True)
class Badge:
    """Two fields and what a screen reader says; `standing` colours the second."""

    label: str
    value: str
    standing: str
    detail: str


def svg(badge: Badge, lang: str) -> str:
    """Draw a badge; the width of a letter is a guess, so the text is fitted to it."""
    left, right = (_CHAR * len(text) + 2 * _PAD for text in (badge.label, badge.value))
    label, value, detail = (escape(text) for text in (badge.label, badge.value, badge.detail))
    width = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" lang="{lang}" width="{width}" height="{_HEIGHT}" role="img" '
        f'viewBox="0 0 {width} {_HEIGHT}" aria-labelledby="t d"><title id="t">{label}: {value}</title>'
        f'<desc id="d">{detail}</desc><rect width="{left}" height="{_HEIGHT}" fill="#333"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{COLOURS[badge.standing]}"/>'
        f'<g fill="#fff" font-family="sans-serif" font-size="12">{_text(_PAD, label, left)}'
        f"{_text(left + _PAD, value, right)}</g></svg>"
    )


def _text(x: int, text: str, width: int) -> str:
    return f'<text x="{x}" y="15" textLength="{width - 2 * _PAD}" lengthAdjust="spacingAndGlyphs">{text}</text>'


def _answer(badge: Badge, lang: str) -> Response:
    return Response(svg(badge, lang), media_type="image/svg+xml", headers={"Cache-Control": "max-age=60"})


def _words(queries: Queries, lang: Lang) -> Words:
    return Words(lang, load_words()[lang], queries.zone())


@router.get("/badges/slo/{slo}.svg", operation_id="badge_slo", response_class=Response)
def of_slo(slo: str, queries: Asked, lang: Language = "vi", window: Over | None = None) -> Response:
    """Draw how an objective stands over all its scopes, coloured by the worst of them."""
    del window  # an objective's is declared
    found, words = queries.objectives(), _words(queries, lang)
    objective = found.one(slo)
    rows = found.of(slo)
    account, measure = summed(rows)
    worst = min((r.standing for r in rows), key=STANDINGS.index, default="no_data")
    detail = _detail(words, measure.ratio, account.coverage, objective.days)
    return _answer(Badge(words.name(objective), _value(words, measure.ratio), worst, detail), lang)


@router.get("/badges/centre/{centre}.svg", operation_id="badge_centre", response_class=Response)
def of_centre(centre: str, queries: Asked, lang: Language = "vi", window: Over = "28d") -> Response:
    """Draw a centre's availability in opening hours."""
    words = _words(queries, lang)
    place = queries.world().centre(centre)
    return _answer(_available(queries, words, f"centre:{centre}", words.name(place), window), lang)


@router.get("/badges/system/{system}.svg", operation_id="badge_system", response_class=Response)
def of_system(system: str, queries: Asked, lang: Language = "vi", window: Over = "28d") -> Response:
    """Draw a digital system's availability round the clock."""
    words = _words(queries, lang)
    name = words.name(queries.system(system).system)
    return _answer(_available(queries, words, f"system:{system}", name, window), lang)


def _available(queries: Queries, words: Words, scope: str, name: str, window: Span) -> Badge:
    days = int(window.removesuffix("d"))
    now = queries.now()
    account = queries.availability(scope, Window(now - days * DAY, now)).whole
    detail = _detail(words, account.availability(), account.coverage, days)
    return Badge(name, _value(words, account.availability()), _standing(account, queries, scope), detail)


def _standing(account: Account, queries: Queries, scope: str) -> str:
    """Colour by the objectives of the place; a place without any is only known or not."""
    if account.availability() is None:
        return "no_data"
    worst = queries.objectives().worst(scope)
    return "healthy" if worst is None or worst.standing == "no_data" else worst.standing


def _value(words: Words, ratio: float | None) -> str:
    return words.t("badge_none") if ratio is None else words.percent(ratio)


def _detail(words: Words, ratio: float | None, coverage: float | None, days: int) -> str:
    values = {"value": _value(words, ratio), "coverage": words.percent(coverage)}
    return words.t("badge_detail", n=days, **values)
