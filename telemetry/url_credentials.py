"""User name and password in the URL of a setting: percent-decoded, checked, and never shown; it opens no connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:@\[\]]+)(?::(?P<port>\d{1,5}))?")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
ENCODING_REMEDY = "write @ : / ? # % in a user name or password as %40 %3A %2F %3F %23 %25"


class BadUrl(ValueError):
    """A URL that cannot be used; the message never holds what may be a password, `remedy` may be empty."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True, slots=True)
class UrlParts:
    """A URL's parts; user name and password are decoded."""

    scheme: str
    host: str
    port: int | None
    username: str = ""
    password: str = field(default="", repr=False)
    rest: str = ""
    """Path, query and fragment as written."""


def split_url(url: str) -> UrlParts:
    """Return the parts of `SCHEME://[USER:PASSWORD@]HOST[:PORT][/…]`. Raises BadUrl."""
    match = _URL.fullmatch(url)
    if match is None:
        raise BadUrl("not a URL")
    userinfo, at, address = match["authority"].rpartition("@")
    host = _HOST.fullmatch(address)
    # Where / ? # stand in a password, the authority ends there: what looks like the host is the user name.
    if not at and host is None and "@" in match["rest"]:
        raise BadUrl("an unencoded / ? or # before the @", ENCODING_REMEDY)
    username, password = _decode_credentials(userinfo)
    if host is None or int(host["port"] or 1) not in range(1, 65_536):
        raise BadUrl("not HOST or HOST:PORT after the //")
    port = int(host["port"]) if host["port"] else None
    return UrlParts(match["scheme"].lower(), host["host"].strip("[]"), port, username, password, match["rest"])


def _decode_credentials(userinfo: str) -> tuple[str, str]:
    """Return user name and password of `USER:PASSWORD`, each empty when absent. Raises BadUrl."""
    username, _, password = userinfo.partition(":")
    unencoded = sorted({sign for sign in username + password if sign in "@:/?#[]" or sign.isspace()})
    if unencoded:
        raise BadUrl(f"an unencoded {' '.join(map(repr, unencoded))} before the @", ENCODING_REMEDY)
    if _BROKEN_ESCAPE.search(userinfo):
        raise BadUrl("a % that begins no %xx before the @", ENCODING_REMEDY)
    if password and not username:
        raise BadUrl("a password without a user name")
    try:
        return unquote(username, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        raise BadUrl("a %xx before the @ that is not UTF-8", ENCODING_REMEDY) from None


def hide_credentials(url: str) -> str:
    """Return a URL for messages: all before its last @ is hidden, since it may hold a password.

    >>> hide_credentials("mqtt://kiosk:pa@ss/1@broker:1883")
    'mqtt://…@broker:1883'
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}…@{rest.rpartition('@')[2]}" if "@" in rest else url
