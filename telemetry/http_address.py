"""Checks the address of an HTTP server, for the store and for the providers alike; it opens no connection."""

from __future__ import annotations

from urllib.parse import urlsplit


def http_base_url(url: str) -> str:
    """Return an http or https address without query and last slash; empty when it is none, or names a user."""
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return ""
    if not is_http or parts.username is not None:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
