"""Renders templates in the reader's language; it must not run queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.etags import VARY
from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import LANGUAGE_COOKIE, PageLocale, choose_language
from api.pages.frame.navigation import build_navigation
from api.pages.frame.tables import format_cell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from fastapi import Request

    from api.pages.frame.catalogues import LanguageCode

STATE_ICONS = {
    "operational": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "closed": "○", "imported": "↧", "up": "✓",
    "overloaded": "‼", "busy": "◔", "below_target": "▽", "planned": "◌", "retired": "◼",
    "period": "▦", "healthy": "✓", "at_risk": "▲", "exhausted": "✕", "no_data": "?",
}  # fmt: skip
"""A symbol for every state, so that colour is never the only sign."""
_COOKIE_MAX_AGE_S = 31_536_000


@dataclass(frozen=True, slots=True)
class Renderer:
    """Templates and texts, loaded once per app."""

    environment: Environment
    messages: Mapping[LanguageCode, Mapping[str, str]]
    version: str
    paths: frozenset[str]
    """Of the pages that are served."""

    def locale_for(self, request: Request, zone: ZoneInfo) -> PageLocale:
        """Return the reader's language."""
        lang = choose_language(request)
        return PageLocale(lang, self.messages[lang], zone)

    def render(
        self, request: Request, locale: PageLocale, template: str, context: Mapping[str, Any], status: int = 200,
    ) -> HTMLResponse:  # fmt: skip
        """Return a page; a language chosen by link is remembered."""
        other = "en" if locale.lang == "vi" else "vi"
        shared = {
            "w": locale,
            "lang": locale.lang,
            "other": other,
            "icons": STATE_ICONS,
            "other_href": f"{own_path(request)}?" + urlencode({**request.query_params, "lang": other}),
            "version": self.version,
            "navigation": build_navigation(self.paths, own_path(request)),
            "format_cell": format_cell,
        }
        body = self.environment.get_template(template).render({**shared, **context})
        response = HTMLResponse(body, status, {"Cache-Control": "no-cache", "Vary": VARY})
        response.headers["Content-Language"] = locale.lang
        if request.query_params.get("lang") == locale.lang:
            response.set_cookie(LANGUAGE_COOKIE, locale.lang, max_age=_COOKIE_MAX_AGE_S, httponly=True, samesite="lax")
        return response

    def render_text(self, locale: PageLocale, template: str, context: Mapping[str, Any]) -> str:
        """Return a document that is no page: without navigation, cookie and links to the other language."""
        shared = {"w": locale, "lang": locale.lang, "version": self.version, "format_cell": format_cell}
        return self.environment.get_template(template).render({**shared, "icons": STATE_ICONS, **context})


def own_path(request: Request) -> str:
    """Return the request's path as a link that cannot leave this host, whatever the client wrote."""
    return "/" + quote(str(request.scope["path"]).lstrip("/\\"))


def load_renderer(version: str, paths: frozenset[str]) -> Renderer:
    """Load templates and texts."""
    environment = Environment(
        loader=PackageLoader("dashboards", "page/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Renderer(environment, load_messages(), version, paths)
