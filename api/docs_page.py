"""The API's documentation as a page, with all its files served from here; it must not load anything from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)
_CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Motcua API</title><link rel="icon" href="docs/assets/favicon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<noscript><p>This page needs JavaScript. The same as JSON: <a href="openapi.json">openapi.json</a>.</p></noscript>
<script src="docs/assets/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null, displayRequestDuration: true,
});
"""


@router.get("/docs")
def show_docs() -> HTMLResponse:
    """Show every operation, to try out."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _CSP})


@router.get("/docs/start.js")
def get_start_script() -> Response:
    """Return the script that starts the page."""
    return Response(_START, media_type="text/javascript")


@router.get("/docs/assets/{name}")
def get_asset(name: str) -> FileResponse:
    """Return a file of Swagger UI, as the package fastapi-offline has it."""
    if name not in _ASSETS:
        raise HTTPException(404)
    import fastapi_offline  # noqa: PLC0415  # only for this page

    file = Path(fastapi_offline.__file__).parent / "static" / name
    return FileResponse(file, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=86400"})
