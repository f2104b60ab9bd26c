"""Checks the address of an HTTP server, for the store and for the providers alike; it opens no connection."""

from __future__ import annotations

from urllib.parse import urlsplit

from telemetry.web_address import encode_web_address


def http_base_url(url: str) -> str:
    """Return an http or https address without query and last slash; empty when it is none, or names a user."""
    try:
        parts = urlsplit(encode_web_address(url))
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
