"""The one door to Alertmanager: posts what is to be known, from a thread of its own; it must decide nothing.

Only the newest offer counts: it says everything, so nothing is lost while Alertmanager is away.
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import structlog

from telemetry.core.backoff import full_jitter
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.slo.alert_text import Alert

_log = structlog.get_logger()
TIMEOUT_S = 2.0
AGAIN_MS = 45_000
"""How old, on the offers' clock, the last delivery may be before the same is told again: with offers every 15 s,
once a minute at the latest."""
RETRY_CAP_MS = 15_000
PATH = "api/v2/alerts"


@dataclass(frozen=True, slots=True)
class _Offer:
    alerts: tuple[Alert, ...]
    at: int

    @property
    def gist(self) -> frozenset[tuple[object, bool]]:
        """Return what must be told at once when it changes: which alerts there are, and which have ended."""
        return frozenset((a.labels, a.ends <= self.at) for a in self.alerts)


@dataclass(slots=True)
class Deliveries:
    """What became of the offers at one address: how many were taken, how many tries failed, the last one's moment."""

    taken: int = 0
    failed: int = 0
    at: int | None = None
    gist: frozenset[tuple[object, bool]] = field(default_factory=frozenset)


class Alertmanagers:
    """All Alertmanagers of a comma-separated list of addresses; each gets everything."""

    def __init__(self, addresses: str, timeout_s: float = TIMEOUT_S) -> None:
        """Start a thread for each; raises ConfigError for what is no address."""
        parts = [text.strip() for text in addresses.split(",") if text.strip()]
        self._couriers = [_Courier(url, timeout_s) for url in [_address(text) for text in parts]]

    @property
    def deliveries(self) -> tuple[Deliveries, ...]:
        """Return what became of the offers, by address."""
        return tuple(one.deliveries for one in self._couriers)

    def offer(self, alerts: Sequence[Alert], at: int) -> None:
        """Take everything that is to be known at `at` (Unix ms); returns at once."""
        for one in self._couriers:
            one.offer(_Offer(tuple(alerts), at))

    def close(self) -> None:
        """Stop; a post under way is waited for."""
        for one in self._couriers:
            one.close()


def _address(text: str) -> httpx.URL:
    """Return an address; the fault does not show it, for it may hold a password."""
    remedy = "write http://HOST:PORT, several with commas between"
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise ConfigError([Fault("settings", 0, "MOTCUA_ALERTMANAGER", "not an http address", remedy)]) from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError([Fault("settings", 0, "MOTCUA_ALERTMANAGER", "not an http address", remedy)])
    return url


class _Courier:
    """Carries the newest offer to one Alertmanager, with back-off while that is away."""

    def __init__(self, url: httpx.URL, timeout_s: float) -> None:
        # httpx logs the address of each request: the password must not stand in it.
        auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else None
        clean = url.copy_with(userinfo=b"")
        self._name = str(clean.copy_with(path="/", query=None, fragment=None))
        self._url = clean.copy_with(path=f"{clean.path.rstrip('/')}/{PATH}")
        self._client = httpx.Client(auth=auth, timeout=timeout_s, trust_env=False)
        self._newest: _Offer | None = None
        self._handled: _Offer | None = None
        self._wake = threading.Condition()
        self._stop = threading.Event()
        self.deliveries = Deliveries()
        self._thread = threading.Thread(target=self._run, name="alertmanager", daemon=True)
        self._thread.start()

    def offer(self, offer: _Offer) -> None:
        with self._wake:
            self._newest = offer
            self._wake.notify()

    def close(self) -> None:
        self._stop.set()
        with self._wake:
            self._wake.notify()
        self._thread.join(timeout=10)
        self._client.close()

    def _run(self) -> None:
        attempt = 0
        while (offer := self._next()) is not None:
            if self._post(offer):
                attempt = 0
            else:
                self._stop.wait(0.2 + full_jitter(attempt, random.random(), 500, RETRY_CAP_MS) / 1000)  # noqa: S311
                attempt += 1

    def _next(self) -> _Offer | None:
        """Wait for an offer that must be told; None when stopped."""
        with self._wake:
            self._wake.wait_for(lambda: self._stop.is_set() or self._due())
            return None if self._stop.is_set() else self._newest

    def _due(self) -> bool:
        """Tell whether the newest offer is to be posted; one that need not be is done with."""
        offer, last = self._newest, self.deliveries
        if offer is None or offer is self._handled:
            return False
        # A clock that was set back must not keep us silent: Alertmanager would take the alerts for ended.
        due = last.at is None or offer.gist != last.gist or not 0 <= offer.at - last.at < AGAIN_MS
        self._handled = self._handled if due else offer
        return due

    def _post(self, offer: _Offer) -> bool:
        problem = self._tried(offer)
        if problem:
            self.deliveries.failed += 1
            _log.warning("alerts_not_delivered", to=self._name, error=problem, remedy="trying again")
            return False
        self._handled = offer
        self.deliveries.taken += 1
        self.deliveries.gist, self.deliveries.at = offer.gist, offer.at
        return True

    def _tried(self, offer: _Offer) -> str:
        """Post an offer; returns what went wrong, without the address."""
        try:
            answer = self._client.post(self._url, content=body(offer.alerts), headers=_JSON)
        except Exception as error:  # noqa: BLE001  # whatever it is, the thread must live on and try again
            return type(error).__name__
        return "" if answer.is_success else f"answered {answer.status_code}"


_JSON = {"Content-Type": "application/json"}


def body(alerts: Sequence[Alert]) -> bytes:
    """Return alerts as Alertmanager's API v2 takes them."""
    return json.dumps([_put(a) for a in alerts]).encode()


def _put(alert: Alert) -> dict[str, object]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _time(alert.starts),
        "endsAt": _time(alert.ends),
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
