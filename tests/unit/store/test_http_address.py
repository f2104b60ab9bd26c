"""Says what counts as the address of an HTTP server, for store and providers alike."""

from __future__ import annotations

import pytest

from telemetry.http_address import http_base_url


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://h:8086/", "http://h:8086"),
        ("https://h/below/?org=o", "https://h/below"),
        ("http://[::1]:8086", "http://[::1]:8086"),
        ("ftp://h", ""),
        ("h:8086", ""),
        ("http://", ""),
        ("http://h:0x", ""),
        ("http://h:99999", ""),
        ("http://user:secret@h", ""),
    ],
)
def test_an_address_is_http_with_a_host_and_without_a_user(url: str, base: str) -> None:
    assert http_base_url(url) == base
