"""Probes a digital system: HTTP, TCP, TLS expiry, DNS. A failed probe is an event, and must not raise."""

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

ProbeErrorKind = Literal["timeout", "refused", "dns", "tls", "status", "other"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe: `target` is a URL for http, HOST:PORT for tcp and tls, a name for dns."""

    system: str
    kind: Literal["http", "tcp", "tls", "dns"]
    target: str
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """The result of a probe; `tls_days`: the certificate's remaining life, days."""

    error: ProbeErrorKind | None = None
    status: int | None = None
    tls_days: float | None = None


@dataclass(slots=True)
class ProbeSource:
    """One probe every `every_ms`, the first after `phase_ms`; `clock` returns Unix ms."""

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
            outbox.append([self.probe_once()])
            if stop.wait(self.every_ms / 1000):
                return

    def probe_once(self) -> ev.ProbeResult:
        """Probe once and return the event."""
        started, t = time.perf_counter(), self.clock()
        outcome = run_probe(self.probe)
        elapsed_ms = (time.perf_counter() - started) * 1000
        return ev.ProbeResult(
            n=1,
            t=t,
            system=self.probe.system,
            kind=self.probe.kind,
            ok=outcome.error is None,
            every_ms=self.every_ms,
            latency_ms=round(elapsed_ms, 1),
            status=outcome.status,
            error=outcome.error,
            tls_days=outcome.tls_days,
        )


def run_probe(probe: Probe) -> ProbeOutcome:
    """Return the system's answer; every failure has a kind."""
    try:
        return PROBES[probe.kind](probe)
    except urllib.error.HTTPError as error:
        error.close()
        return ProbeOutcome("status", error.code)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return ProbeOutcome(_error_kind(error))


def _error_kind(error: BaseException) -> ProbeErrorKind:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    kinds: tuple[tuple[type[BaseException], ProbeErrorKind], ...] = (
        (socket.gaierror, "dns"),
        (TimeoutError, "timeout"),
        (ConnectionRefusedError, "refused"),
        (ssl.SSLError, "tls"),
    )
    return next((kind for cls, kind in kinds if isinstance(inner, cls)), "other")


def _probe_http(probe: Probe) -> ProbeOutcome:
    if urlsplit(probe.target).scheme not in {"http", "https"}:
        return ProbeOutcome("other")
    with urllib.request.urlopen(probe.target, timeout=probe.timeout_s) as response:  # noqa: S310 - checked above
        response.read(65_536)
        return ProbeOutcome(None, response.status)


def _host_and_port(target: str, port: int) -> tuple[str, int]:
    parts = urlsplit(target if "//" in target else f"//{target}")
    return parts.hostname or "", parts.port or port


def _probe_tcp(probe: Probe) -> ProbeOutcome:
    socket.create_connection(_host_and_port(probe.target, 80), probe.timeout_s).close()
    return ProbeOutcome()


def _probe_tls(probe: Probe) -> ProbeOutcome:
    host, port = _host_and_port(probe.target, 443)
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), probe.timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        not_after_s = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {}).get("notAfter")))
    remaining = datetime.fromtimestamp(not_after_s, UTC) - datetime.now(UTC)
    return ProbeOutcome(tls_days=round(remaining.total_seconds() / 86_400, 2))


def _probe_dns(probe: Probe) -> ProbeOutcome:
    socket.getaddrinfo(_host_and_port(probe.target, 80)[0], None)
    return ProbeOutcome()


PROBES: dict[str, Callable[[Probe], ProbeOutcome]] = {
    "http": _probe_http,
    "tcp": _probe_tcp,
    "tls": _probe_tls,
    "dns": _probe_dns,
}
"""The probe of each kind; `telemetry.source_settings.PROBE_KINDS` names the same."""
