"""Requests a web address, or only connects, with one deadline over everything; the only module that imports pycurl.

The deadline covers name lookup, all addresses (IPv6 first, IPv4 beside it), TLS, headers, body and redirects.  libcurl
does HTTP/1.0, 1.1 and 2, any number of 1xx answers and compressed bodies.  It must not log addresses or bodies.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import pycurl

from edge_agent.name_lookup import look_up_addresses
from telemetry.web_address import WEB_PORTS, encode_web_address

if TYPE_CHECKING:
    from collections.abc import Mapping

HttpFailureKind = Literal["timeout", "refused", "dns", "tls", "redirects", "other"]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 20
"""As many as browsers follow."""
USER_AGENT = "motcua"
"""Some firewalls refuse requests without one."""
_FIRST_FINAL_STATUS = 200
_ENDLESS_TYPES = ("text/event-stream", "multipart/x-mixed-replace")
_TLS_CODES = frozenset({
    pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CERTPROBLEM, pycurl.E_SSL_CIPHER,
    pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_ISSUER_ERROR, pycurl.E_SSL_ENGINE_NOTFOUND,
})  # fmt: skip
_TOO_LARGE = 100
_COMPLAINT_CODES = frozenset({pycurl.E_FTP_WEIRD_SERVER_REPLY, pycurl.E_BAD_CONTENT_ENCODING, _TOO_LARGE})
"""The server has answered, and libcurl refuses how: a header without a colon, more than 5,000 headers."""


class HttpFailure(OSError):
    """No answer; `kind` says why, `status` is that of the last redirect.

    `is_complaint`: something arrived, and libcurl refuses how it is written.
    """

    def __init__(self, kind: HttpFailureKind, message: str, status: int = 0, *, is_complaint: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.is_complaint = is_complaint


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer: status 200 to 999, the headers by their names in small letters (the last of each), the body.

    The body is at most as long as was asked for; `is_cut` when there is more of it, or when it has no end.
    `is_refused`: libcurl refused how headers or body are written, and the rest was not read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A GET request; `headers` go to the origin of `url` only, compressed bodies are asked for with `decompress`."""

    url: str
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    max_body_bytes: int = 65_536
    max_redirects: int = 0
    decompress: bool = False


@dataclass(slots=True)
class _Response:
    """What arrives of one response; its methods are libcurl's callbacks, which end the transfer by returning -1."""

    max_body_bytes: int
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_cut: bool = False

    def take_header(self, line: bytes) -> int:
        if line[:5].upper() == b"HTTP/":
            self.headers.clear()
            digits = line.split()[1:2]
            self.status = int(digits[0]) if digits and digits[0].isdigit() and len(digits[0]) == 3 else 0
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            self.headers[name.strip().lower()] = value.strip()
        is_endless = self.headers.get("content-type", "").lower().startswith(_ENDLESS_TYPES)
        self.is_cut = self.status >= _FIRST_FINAL_STATUS and is_endless and not line.strip()
        return -1 if self.is_cut else len(line)

    def take_body(self, data: bytes) -> int:
        room = self.max_body_bytes - len(self.body)
        self.body += data[:room]
        self.is_cut = len(data) > room
        return -1 if self.is_cut else len(data)


def request(asked: HttpRequest) -> HttpAnswer:
    """Return the answer, of whatever status. Raises HttpFailure, ValueError for what is no web address."""
    deadline = time.monotonic() + asked.timeout_s
    url = first = encode_web_address(asked.url)
    curl = pycurl.Curl()
    try:
        curl.setopt(pycurl.COOKIEFILE, "")  # a redirect may set a cookie and expect it back
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
        if asked.decompress:
            curl.setopt(pycurl.ACCEPT_ENCODING, "")
        for _ in range(asked.max_redirects + 1):
            headers = asked.headers if _origin(url) == _origin(first) else {}
            curl.unsetopt(pycurl.HTTPHEADER)  # an empty list would leave those of the last request
            curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}".encode() for name, value in headers.items()])
            answer = _request_once(curl, url, deadline, asked.max_body_bytes)
            following = _redirect_of(url, answer)
            if not asked.max_redirects or not following:
                return answer
            url = following
        raise HttpFailure("redirects", f"more than {asked.max_redirects} redirects", answer.status)
    finally:
        curl.close()


def open_connection(host: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connected socket, over whichever address of the host answers first. Raises HttpFailure."""
    deadline = time.monotonic() + timeout_s
    curl = pycurl.Curl()
    try:
        curl.setopt(pycurl.CONNECT_ONLY, 1)
        curl.setopt(pycurl.PROXY, "")
        bracketed = f"[{host}]" if ":" in host else host
        _set_addresses(curl, host, port, deadline)
        _perform(curl, f"http://{bracketed}:{port}/", deadline)
        return socket.socket(fileno=os.dup(curl.getinfo(pycurl.ACTIVESOCKET)))
    finally:
        curl.close()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _redirect_of(url: str, answer: HttpAnswer) -> str:
    """Return where an answer redirects to, empty when nowhere or to what is no web address."""
    try:
        is_redirect = answer.status in _REDIRECTS and "location" in answer.headers
        return encode_web_address(urljoin(url, answer.headers["location"])) if is_redirect else ""
    except ValueError:
        return ""


def _request_once(curl: pycurl.Curl, url: str, deadline: float, max_body_bytes: int) -> HttpAnswer:
    response = _Response(max_body_bytes)
    curl.setopt(pycurl.HEADERFUNCTION, response.take_header)
    curl.setopt(pycurl.WRITEFUNCTION, response.take_body)
    paths = ssl.get_default_verify_paths()  # with SSL_CERT_FILE and SSL_CERT_DIR
    if paths.cafile:
        curl.setopt(pycurl.CAINFO, paths.cafile)
    if paths.capath:
        curl.setopt(pycurl.CAPATH, paths.capath)
    _set_route(curl, url, deadline)
    is_refused = False
    try:
        _perform(curl, url, deadline)
    except HttpFailure as failure:
        is_refused = failure.is_complaint and not response.is_cut
        is_answer = response.is_cut or failure.is_complaint
        if response.status < _FIRST_FINAL_STATUS or not is_answer:
            raise
    return HttpAnswer(response.status, response.headers, bytes(response.body), response.is_cut, is_refused)


def _set_route(curl: pycurl.Curl, url: str, deadline: float) -> None:
    """Look up the host, or that of the proxy which the environment names for it."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or WEB_PORTS[parts.scheme]
    proxies = getproxies()
    proxy = "" if proxy_bypass(f"{host}:{port}") else proxies.get(parts.scheme, proxies.get("all", ""))
    curl.setopt(pycurl.PROXY, proxy)
    curl.setopt(pycurl.NOPROXY, "" if proxy else "*")
    if proxy:
        proxy_parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = proxy_parts.hostname or "", proxy_parts.port or 1080
    _set_addresses(curl, host, port, deadline)


def _set_addresses(curl: pycurl.Curl, host: str, port: int, deadline: float) -> None:
    """Give libcurl the addresses of a name, so that it looks up none itself. Raises HttpFailure."""
    try:
        addresses = look_up_addresses(host, deadline - time.monotonic())
    except TimeoutError as error:
        raise HttpFailure("timeout", str(error)) from None
    except (OSError, UnicodeError) as error:
        raise HttpFailure("dns", str(error)) from None
    if addresses != (host,):
        listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
        curl.setopt(pycurl.RESOLVE, [f"{host}:{port}:{listed}"])


def _perform(curl: pycurl.Curl, url: str, deadline: float) -> None:
    """Run one transfer in the time that is left. Raises HttpFailure."""
    left_ms = int((deadline - time.monotonic()) * 1000)
    if left_ms <= 0:
        raise HttpFailure("timeout", "no time is left")
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.TIMEOUT_MS, left_ms)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, left_ms)
    curl.setopt(pycurl.NOSIGNAL, 1)
    try:
        curl.perform()
    except pycurl.error as error:
        code, message = error.args
        raise _failure(code, message, curl.getinfo(pycurl.OS_ERRNO)) from None


def _failure(code: int, message: str, system_error: int) -> HttpFailure:
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return HttpFailure("timeout", message)
    if code in {pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY}:
        return HttpFailure("dns", message)
    if code == pycurl.E_COULDNT_CONNECT:
        kinds: dict[int, HttpFailureKind] = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout"}
        return HttpFailure(kinds.get(system_error, "other"), message)
    if code in _TLS_CODES:
        return HttpFailure("tls", message)
    is_complaint = code in _COMPLAINT_CODES or (code == pycurl.E_RECV_ERROR and "Recv failure" not in message)
    return HttpFailure("other", message, is_complaint=is_complaint)
