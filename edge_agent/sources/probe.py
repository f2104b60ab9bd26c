"""Probes a digital system: HTTP, TCP, TLS, DNS, or a closed port. A failed probe is an event, and must not raise.

A probe has one deadline over everything: name lookup, connect, TLS, headers, body and redirects.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from edge_agent.certificate_chain import find_chain_end
from edge_agent.http_client import MAX_REDIRECTS, HttpFailure, HttpRequest, open_connection, request
from edge_agent.name_lookup import look_up_addresses
from telemetry.core.protocol import events as ev
from telemetry.web_address import WEB_PORTS, parse_host_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop

ProbeErrorKind = Literal["timeout", "refused", "dns", "tls", "status", "reached", "other"]
PROBE_TIMEOUT_S = 10.0
"""A probe's deadline, s; the interval counts when it is shorter, so that no probe delays the next."""
SECONDS_PER_DAY = 86_400
MAX_CERTIFICATE_DAYS = 1_000_000.0
"""As many as an event may name; authorities write the year 9999 for a certificate without an end."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe: `target` is a URL for http, HOST:PORT for tcp, tls and closed, a name for dns."""

    system: str
    kind: Literal["http", "tcp", "tls", "dns", "closed"]
    target: str
    timeout_s: float = PROBE_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """The result of a probe; `tls_days`: days until the first certificate of the chain ends, `tls_certificate`: which.

    Days are negative when it has ended.
    """

    error: ProbeErrorKind | None = None
    status: int | None = None
    tls_days: float | None = None
    tls_certificate: ev.ChainCertificate | None = None


class NoEvidence(Exception):
    """A probe that must fail could not be tried: neither open nor closed is shown, so nothing is reported."""


@dataclass(slots=True)
class ProbeSource:
    """One probe every `every_ms`, the first after `phase_ms`; `clock` returns Unix ms."""

    probe: Probe
    clock: Callable[[], int]
    every_ms: int = 60_000
    phase_ms: int = 0
    name: str = "probe"

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Probe until stopped, at even intervals; what is due while another probe runs is left out."""
        if stop.wait(self.phase_ms / 1000):
            return
        while True:
            due = time.monotonic() + self.every_ms / 1000
            with contextlib.suppress(NoEvidence):
                outbox.append([self.probe_once()])
            if stop.wait(max(due - time.monotonic(), 0)):
                return

    def probe_once(self) -> ev.ProbeResult:
        """Probe once and return the event. Raises NoEvidence."""
        started, t = time.perf_counter(), self.clock()
        timeout_s = min(self.probe.timeout_s, self.every_ms / 1000)
        outcome = run_probe(replace(self.probe, timeout_s=timeout_s))
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
            tls_certificate=outcome.tls_certificate,
        )


def run_probe(probe: Probe) -> ProbeOutcome:
    """Return the system's answer within the probe's time-out; every failure has a kind. Raises NoEvidence."""
    try:
        return PROBES[probe.kind](probe)
    except HttpFailure as failure:
        if failure.kind == "redirects":
            return ProbeOutcome("status", failure.status)
        return ProbeOutcome(failure.kind)
    except TimeoutError:
        return ProbeOutcome("timeout")
    except (OSError, ValueError):
        return ProbeOutcome("other")


def _probe_http(probe: Probe) -> ProbeOutcome:
    answer = request(HttpRequest(probe.target, probe.timeout_s, max_redirects=MAX_REDIRECTS))
    is_success = answer.status // 100 == 2
    return ProbeOutcome(None if is_success else "status", answer.status)


def _probe_tcp(probe: Probe) -> ProbeOutcome:
    place = parse_host_port(probe.target)
    open_connection(place.host, place.port or WEB_PORTS["http"], probe.timeout_s).close()
    return ProbeOutcome()


def _probe_closed(probe: Probe) -> ProbeOutcome:
    """Succeed when the connection is refused or times out; a failure of the name or the route proves nothing."""
    place, deadline = parse_host_port(probe.target), time.monotonic() + probe.timeout_s
    try:
        look_up_addresses(place.host, probe.timeout_s)
        open_connection(place.host, place.port or WEB_PORTS["http"], max(deadline - time.monotonic(), 0.1)).close()
    except HttpFailure as failure:
        if failure.kind in {"refused", "timeout"}:
            return ProbeOutcome()
        raise NoEvidence(failure.kind) from None
    except OSError as error:
        raise NoEvidence(str(error)) from None
    return ProbeOutcome("reached")


def _probe_tls(probe: Probe) -> ProbeOutcome:
    place, deadline = parse_host_port(probe.target), time.monotonic() + probe.timeout_s
    end = find_chain_end(place.host, place.port or WEB_PORTS["https"], deadline)
    days = round((end.ends_at - time.time()) / SECONDS_PER_DAY, 2)
    days = max(-MAX_CERTIFICATE_DAYS, min(days, MAX_CERTIFICATE_DAYS))
    return ProbeOutcome(None if end.is_valid else "tls", tls_days=days, tls_certificate=end.certificate)


def _probe_dns(probe: Probe) -> ProbeOutcome:
    try:
        look_up_addresses(parse_host_port(probe.target).host, probe.timeout_s)
    except TimeoutError:
        raise
    except (OSError, UnicodeError):
        return ProbeOutcome("dns")
    return ProbeOutcome()


PROBES: dict[str, Callable[[Probe], ProbeOutcome]] = {
    "http": _probe_http,
    "tcp": _probe_tcp,
    "tls": _probe_tls,
    "dns": _probe_dns,
    "closed": _probe_closed,
}
"""The probe of each kind; `telemetry.source_settings.PROBE_KINDS` names the same."""
