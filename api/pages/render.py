"""Renders templates in the reader's language; it must not ask questions about the centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.pages.language import COOKIE, Words, chosen, load_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from fastapi import Request

    from api.pages.language import Lang

ICONS = {
    "operational": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "closed": "○", "imported": "↧", "up": "✓",
    "healthy": "✓", "at_risk": "▲", "exhausted": "✕", "no_data": "?",
}  # fmt: skip
"""A shape for every state, so that colour never speaks alone."""
_YEAR_S = 31_536_000


@dataclass(frozen=True, slots=True)
class Renderer:
    """Templates and words, loaded once per app."""

    environment: Environment
    words: Mapping[Lang, Mapping[str, str]]
    version: str

    def in_language(self, request: Request, zone: ZoneInfo) -> Words:
        """Return the words of the reader's language."""
        lang = chosen(request)
        return Words(lang, self.words[lang], zone)

    def page(
        self, request: Request, words: Words, template: str, context: Mapping[str, Any], status: int = 200,
    ) -> HTMLResponse:  # fmt: skip
        """Return a page; a language chosen by link is remembered."""
        other = "en" if words.lang == "vi" else "vi"
        shared = {
            "w": words,
            "lang": words.lang,
            "other": other,
            "icons": ICONS,
            "path": request.url.path,
            "version": self.version,
        }
        body = self.environment.get_template(template).render({**shared, **context})
        response = HTMLResponse(body, status, {"Cache-Control": "no-cache", "Vary": "Accept-Language, Cookie"})
        response.headers["Content-Language"] = words.lang
        if request.query_params.get("lang") == words.lang:
            response.set_cookie(COOKIE, words.lang, max_age=_YEAR_S, httponly=True, samesite="lax")
        return response


def renderer(version: str) -> Renderer:
    """Load templates and words."""
    environment = Environment(
        loader=PackageLoader("dashboards", "page/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Renderer(environment, load_words(), version)
