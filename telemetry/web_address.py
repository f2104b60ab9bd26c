"""Reads addresses of the network as people write them, and encodes them as a browser does; it opens no connection.

Web addresses (http and https) and HOST:PORT are read here once, so that what the inventory refuses is what a source
could not use.  A browser's rules are those of https://url.spec.whatwg.org/: names in other letters become punycode,
spaces and other letters of path and query are percent-encoded as UTF-8, a fragment is not sent.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

WEB_PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})
"""The schemes of a web address with their default ports."""
HOST_PORT_SCHEMES: Mapping[str, int | None] = MappingProxyType({**WEB_PORTS, "tls": 443, "ssl": 443, "tcp": None})
"""The schemes that HOST:PORT may begin with; `tcp` has no default port."""
_MAX_HOST_LENGTH = 253
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PATH_SAFE = "!$%&'()*+,-./:;=@[]_|~"
"""The characters of a path or query that a browser sends as they are, beside letters and digits."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host, as it is looked up, and a port; None where the text names none."""

    host: str
    port: int | None


def encode_web_address(text: str) -> str:
    """Return an http or https address in ASCII, as a browser would request it. Raises ValueError with the problem.

    >>> encode_web_address("https://cổng.example/tra cứu?q=hồ sơ")
    'https://xn--cng-qmz.example/tra%20c%E1%BB%A9u?q=h%E1%BB%93%20s%C6%A1'
    """
    parts = _split(text)
    if parts.scheme not in WEB_PORTS:
        raise ValueError("it does not begin with http:// or https://")
    place = _host_and_port(parts)
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port is None else f":{place.port}"
    path = quote(parts.path.replace("\\", "/") or "/", safe=_PATH_SAFE)
    query = f"?{quote(parts.query, safe=_PATH_SAFE + '?`{}^')}" if parts.query else ""
    return f"{parts.scheme}://{host}{port}{path}{query}"


def parse_host_port(text: str) -> HostPort:
    """Return host and port of HOST, HOST:PORT or SCHEME://HOST:PORT. Raises ValueError with the problem.

    >>> parse_host_port("[2001:db8::1]:8443"), parse_host_port("https://portal.example/")
    (HostPort(host='2001:db8::1', port=8443), HostPort(host='portal.example', port=443))
    """
    has_scheme = "://" in text
    parts = _split(text if has_scheme else f"//{text}")
    if parts.scheme not in {*HOST_PORT_SCHEMES, ""} or (has_scheme and not parts.scheme):
        raise ValueError(f"{parts.scheme}:// is not a scheme of this target")
    if parts.scheme not in WEB_PORTS and (parts.path not in {"", "/"} or parts.query):
        raise ValueError("it has a path")
    place = _host_and_port(parts)
    default = HOST_PORT_SCHEMES.get(parts.scheme)
    return place if place.port is not None else HostPort(place.host, default)


def is_ip_address(host: str) -> bool:
    """Return whether a host is an IPv4 or IPv6 address, which needs no lookup."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _split(text: str) -> SplitResult:
    """Return the parts, of which the scheme is in small letters; what a browser would silently repair is a fault."""
    if not text.isprintable():
        raise ValueError("it contains a tab, a line break or another sign that is not printed")
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError as error:
        raise ValueError(f"its host or port cannot be read ({error})") from None
    return parts._replace(fragment="")


def _host_and_port(parts: SplitResult) -> HostPort:
    if "@" in parts.netloc:
        raise ValueError("it contains a user name or password")
    if not parts.hostname:
        raise ValueError("it has no host")
    if parts.port == 0:
        raise ValueError("port 0 is no port")
    if parts.hostname in WEB_PORTS and parts.netloc.endswith(":"):
        raise ValueError("it begins with two schemes")
    if "[" in parts.netloc:
        return HostPort(_check_ipv6(parts.hostname), parts.port)
    return HostPort(_encode_host(parts.hostname), parts.port)


def _check_ipv6(host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host.replace("%25", "%")))
    except ValueError:
        raise ValueError(f"{host} is not an IPv6 address") from None


def _encode_host(host: str) -> str:
    """Return a name in ASCII, without the dot at its end, or an IPv4 address."""
    try:
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise ValueError(f"{host!r} is not a host's name") from None
    labels = name.split(".")
    if len(name) > _MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{host!r} is not a host's name")
    if labels[-1].isdigit():
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            raise ValueError(f"{host} is not an IPv4 address") from None
    return name
