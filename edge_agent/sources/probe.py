"""Probes a digital system from here: HTTP, TCP, TLS expiry, DNS. A failed probe is an event, never an exception."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop

Error = Literal["timeout", "refused", "dns", "tls", "status", "other"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask: `target` is a URL for http, HOST:PORT for tcp and tls, a name for dns."""

    system: str
    kind: Literal["http", "tcp", "tls", "dns"]
    target: str
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a probe went; `tls_days` is the certificate's remaining life."""

    error: Error | None = None
    status: int | None = None
    tls_days: float | None = None


@dataclass(slots=True)
class ProbeSource:
    """One probe every `every_ms`; `clock` gives Unix ms."""

    probe: Probe
    clock: Callable[[], int]
    every_ms: int = 60_000
    phase_ms: int = 0
    name: str = "probe"

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Probe until stopped."""
        if stop.wait(self.phase_ms / 1000):
            return
        while True:
            outbox.append([self.once()])
            if stop.wait(self.every_ms / 1000):
                return

    def once(self) -> ev.ProbeResult:
        """Probe now."""
        began, t = time.perf_counter(), self.clock()
        answer = ask(self.probe)
        taken = (time.perf_counter() - began) * 1000
        return ev.ProbeResult(
            n=1,
            t=t,
            system=self.probe.system,
            kind=self.probe.kind,
            ok=answer.error is None,
            every_ms=self.every_ms,
            latency_ms=round(taken, 1),
            status=answer.status,
            error=answer.error,
            tls_days=answer.tls_days,
        )


def ask(probe: Probe) -> Answer:
    """Return how the system answered; every failure has a kind."""
    try:
        return _ASK[probe.kind](probe)
    except urllib.error.HTTPError as error:
        error.close()
        return Answer("status", error.code)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(_kind_of(error))


def _kind_of(error: BaseException) -> Error:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    kinds: tuple[tuple[type[BaseException], Error], ...] = (
        (socket.gaierror, "dns"),
        (TimeoutError, "timeout"),
        (ConnectionRefusedError, "refused"),
        (ssl.SSLError, "tls"),
    )
    return next((kind for cls, kind in kinds if isinstance(inner, cls)), "other")


def _http(probe: Probe) -> Answer:
    if urlsplit(probe.target).scheme not in {"http", "https"}:
        return Answer("other")
    with urllib.request.urlopen(probe.target, timeout=probe.timeout_s) as answer:  # noqa: S310 - checked above
        answer.read(65_536)
        return Answer(None, answer.status)


def _place(target: str, port: int) -> tuple[str, int]:
    parts = urlsplit(target if "//" in target else f"//{target}")
    return parts.hostname or "", parts.port or port


def _tcp(probe: Probe) -> Answer:
    socket.create_connection(_place(probe.target, 80), probe.timeout_s).close()
    return Answer()


def _tls(probe: Probe) -> Answer:
    host, port = _place(probe.target, 443)
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), probe.timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {}).get("notAfter")))
    left = datetime.fromtimestamp(ends, UTC) - datetime.now(UTC)
    return Answer(tls_days=round(left.total_seconds() / 86_400, 2))


def _dns(probe: Probe) -> Answer:
    socket.getaddrinfo(_place(probe.target, 80)[0], None)
    return Answer()


_ASK: dict[str, Callable[[Probe], Answer]] = {"http": _http, "tcp": _tcp, "tls": _tls, "dns": _dns}
