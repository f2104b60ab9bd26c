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

from telemetry.core.backoff import full_jitter_ms
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.slo.alert_text import PostableAlert

_log = structlog.get_logger()
TIMEOUT_S = 2.0
RESEND_AFTER_MS = 45_000
"""How old, on the offers' clock, the last delivery may be before the same is told again: with offers every 15 s,
once a minute at the latest."""
RETRY_CAP_MS = 15_000
API_PATH = "api/v2/alerts"


@dataclass(frozen=True, slots=True)
class _Snapshot:
    alerts: tuple[PostableAlert, ...]
    at: int

    @property
    def identity(self) -> frozenset[tuple[object, bool]]:
        """Return what must be told at once when it changes: which alerts there are, and which have ended."""
        return frozenset((a.labels, a.ends_at <= self.at) for a in self.alerts)


@dataclass(slots=True)
class DeliveryStats:
    """What became of the offers at one address: how many were taken, how many tries failed, the last one's moment."""

    delivered: int = 0
    failed: int = 0
    last_at: int | None = None
    identity: frozenset[tuple[object, bool]] = field(default_factory=frozenset)


class Alertmanagers:
    """All Alertmanagers of a comma-separated list of addresses; each gets everything."""

    def __init__(self, addresses: str, timeout_s: float = TIMEOUT_S) -> None:
        """Start a thread for each; raises ConfigError for what is no address."""
        parts = [text.strip() for text in addresses.split(",") if text.strip()]
        self._senders = [_AlertmanagerSender(url, timeout_s) for url in [_parse_address(text) for text in parts]]

    @property
    def deliveries(self) -> tuple[DeliveryStats, ...]:
        """Return what became of the offers, by address."""
        return tuple(sender.deliveries for sender in self._senders)

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        """Take everything that is to be known at `at` (Unix ms); returns at once."""
        for sender in self._senders:
            sender.submit(_Snapshot(tuple(alerts), at))

    def close(self) -> None:
        """Stop; a post under way is waited for."""
        for sender in self._senders:
            sender.close()


def _parse_address(text: str) -> httpx.URL:
    """Return an address; the fault does not show it, for it may hold a password."""
    remedy = "write http://HOST:PORT, several with commas between"
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise ConfigError([Fault("settings", 0, "MOTCUA_ALERTMANAGER", "not an http address", remedy)]) from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError([Fault("settings", 0, "MOTCUA_ALERTMANAGER", "not an http address", remedy)])
    return url


class _AlertmanagerSender:
    """Carries the newest offer to one Alertmanager, with back-off while that is away."""

    def __init__(self, url: httpx.URL, timeout_s: float) -> None:
        # httpx logs the address of each request: the password must not stand in it.
        auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else None
        clean = url.copy_with(userinfo=b"")
        self._display_url = str(clean.copy_with(path="/", query=None, fragment=None))
        self._url = clean.copy_with(path=f"{clean.path.rstrip('/')}/{API_PATH}")
        self._client = httpx.Client(auth=auth, timeout=timeout_s, trust_env=False)
        self._latest: _Snapshot | None = None
        self._handled: _Snapshot | None = None
        self._condition = threading.Condition()
        self._stop = threading.Event()
        self.deliveries = DeliveryStats()
        self._thread = threading.Thread(target=self._run, name="alertmanager", daemon=True)
        self._thread.start()

    def submit(self, snapshot: _Snapshot) -> None:
        with self._condition:
            self._latest = snapshot
            self._condition.notify()

    def close(self) -> None:
        self._stop.set()
        with self._condition:
            self._condition.notify()
        self._thread.join(timeout=10)
        self._client.close()

    def _run(self) -> None:
        attempt = 0
        while (snapshot := self._wait_for_due()) is not None:
            if self._post(snapshot):
                attempt = 0
            else:
                self._stop.wait(0.2 + full_jitter_ms(attempt, random.random(), 500, RETRY_CAP_MS) / 1000)  # noqa: S311
                attempt += 1

    def _wait_for_due(self) -> _Snapshot | None:
        """Wait for an offer that must be told; None when stopped."""
        with self._condition:
            self._condition.wait_for(lambda: self._stop.is_set() or self._is_due())
            return None if self._stop.is_set() else self._latest

    def _is_due(self) -> bool:
        """Tell whether the newest offer is to be posted; one that need not be is done with."""
        snapshot, last = self._latest, self.deliveries
        if snapshot is None or snapshot is self._handled:
            return False
        # A clock that was set back must not keep us silent: Alertmanager would take the alerts for ended.
        is_due = (
            last.last_at is None
            or snapshot.identity != last.identity
            or not 0 <= snapshot.at - last.last_at < RESEND_AFTER_MS
        )
        self._handled = self._handled if is_due else snapshot
        return is_due

    def _post(self, snapshot: _Snapshot) -> bool:
        problem = self._try_post(snapshot)
        if problem:
            self.deliveries.failed += 1
            _log.warning("alerts_not_delivered", to=self._display_url, error=problem, remedy="trying again")
            return False
        self._handled = snapshot
        self.deliveries.delivered += 1
        self.deliveries.identity, self.deliveries.last_at = snapshot.identity, snapshot.at
        return True

    def _try_post(self, snapshot: _Snapshot) -> str:
        """Post an offer; returns what went wrong, without the address."""
        try:
            response = self._client.post(self._url, content=encode_alerts(snapshot.alerts), headers=_JSON_HEADERS)
        except Exception as error:  # noqa: BLE001  # whatever it is, the thread must live on and try again
            return type(error).__name__
        return "" if response.is_success else f"answered {response.status_code}"


_JSON_HEADERS = {"Content-Type": "application/json"}


def encode_alerts(alerts: Sequence[PostableAlert]) -> bytes:
    """Return alerts as Alertmanager's API v2 takes them."""
    return json.dumps([_alert_to_json(a) for a in alerts]).encode()


def _alert_to_json(alert: PostableAlert) -> dict[str, object]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _format_time(alert.starts_at),
        "endsAt": _format_time(alert.ends_at),
    }


def _format_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
