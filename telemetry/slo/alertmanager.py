"""Posts alerts to Alertmanager from a thread of its own; it must not decide which alerts exist.

Only the newest snapshot is posted: it contains all alerts, so nothing is lost while Alertmanager is down.
"""

from __future__ import annotations

import json
import random
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import structlog

from telemetry.core.backoff import full_jitter_ms, retry_after_ms
from telemetry.errors import ConfigError, Fault
from telemetry.url_credentials import BadUrl, split_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.slo.alert import PostableAlert

_log = structlog.get_logger()
TIMEOUT_S = 2.0
RESEND_AFTER_MS = 45_000
"""How old, on the snapshots' clock, the last delivery may be before the same is posted again: with snapshots every
15 s, once a minute at the latest."""
RETRY_CAP_MS = 15_000
MAX_ASKED_WAIT_MS = 300_000
"""The longest wait that Alertmanager may ask for: alerts must not be late for longer."""
API_PATH = "api/v2/alerts"
_JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Snapshot:
    alerts: tuple[PostableAlert, ...]
    at: int

    @property
    def identity(self) -> frozenset[tuple[object, bool]]:
        """Return what must be posted at once when it changes: which alerts there are, and which are resolved."""
        return frozenset((a.labels, a.ends_at <= self.at) for a in self.alerts)


@dataclass(slots=True)
class DeliveryStats:
    """Deliveries to one address: how many succeeded, how many tries failed, when the last succeeded."""

    delivered: int = 0
    failed: int = 0
    last_at: int | None = None
    identity: frozenset[tuple[object, bool]] = field(default_factory=frozenset)


class Alertmanagers:
    """All Alertmanagers of a comma-separated list of addresses; each gets everything."""

    def __init__(self, addresses: str, timeout_s: float = TIMEOUT_S, ca: str = "") -> None:
        """Start a thread for each; raises ConfigError when a part is not an http address, and as `trust_of`."""
        trust = trust_of(ca)
        self._senders = [_AlertmanagerSender(url, timeout_s, trust) for url in parse_addresses(addresses)]

    @property
    def deliveries(self) -> tuple[DeliveryStats, ...]:
        """Return the deliveries, by address."""
        return tuple(sender.deliveries for sender in self._senders)

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        """Queue all alerts of the moment `at` (Unix ms); returns at once."""
        for sender in self._senders:
            sender.submit(_Snapshot(tuple(alerts), at))

    def close(self) -> None:
        """Stop after a post under way has finished."""
        for sender in self._senders:
            sender.close()


def trust_of(ca: str) -> ssl.SSLContext | bool:
    """Return how certificates are checked: by the authorities in the file `ca`, without one by the public ones.

    Raises ConfigError for a file that cannot be read or has no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca) if ca else True
    except (OSError, ValueError) as error:
        problem = f"cannot read {ca}: {error.strerror if isinstance(error, FileNotFoundError) else 'no certificate'}"
        remedy = "name a file of certificates, PEM"
        raise ConfigError([Fault("settings", 0, "MOTCUA_ALERTMANAGER_CA", problem, remedy)]) from None


def parse_addresses(addresses: str) -> list[httpx.URL]:
    """Return the addresses of a comma-separated list, with their passwords; raises ConfigError for one that is none."""
    return [_parse_address(text.strip()) for text in addresses.split(",") if text.strip()]


def _parse_address(text: str) -> httpx.URL:
    """Return an address; the fault does not show it, because it may contain a password."""
    problem, remedy = "not an http address", "write http://HOST:PORT, several with commas between"
    try:
        split_url(text)
        url = httpx.URL(text)
        if url.scheme in {"http", "https"} and url.host:
            return url
    except BadUrl as error:
        problem, remedy = f"not an http address: {error.problem}", error.remedy or remedy
    except (httpx.InvalidURL, ValueError):
        pass
    raise ConfigError([Fault("settings", 0, "MOTCUA_ALERTMANAGER", problem, remedy)])


class _AlertmanagerSender:
    """Posts the newest snapshot to one Alertmanager, with back-off while it is down."""

    def __init__(self, url: httpx.URL, timeout_s: float, trust: ssl.SSLContext | bool) -> None:  # noqa: FBT001
        # httpx logs the address of each request: it must not contain the password.
        auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else None
        clean = url.copy_with(userinfo=b"")
        self._display_url = str(clean.copy_with(path="/", query=None, fragment=None))
        self._url = clean.copy_with(path=f"{clean.path.rstrip('/')}/{API_PATH}")
        self._client = httpx.Client(auth=auth, timeout=timeout_s, trust_env=False, verify=trust)
        self._latest: _Snapshot | None = None
        self._handled: _Snapshot | None = None
        self._asked_wait_ms = 0
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
                wait_ms = 200 + full_jitter_ms(attempt, random.random(), 500, RETRY_CAP_MS)  # noqa: S311
                self._stop.wait(max(wait_ms, self._asked_wait_ms) / 1000)
                attempt += 1

    def _wait_for_due(self) -> _Snapshot | None:
        """Wait for a snapshot that must be posted; None when stopped."""
        with self._condition:
            self._condition.wait_for(lambda: self._stop.is_set() or self._is_due())
            return None if self._stop.is_set() else self._latest

    def _is_due(self) -> bool:
        """Return whether the newest snapshot must be posted; one that need not be counts as handled."""
        snapshot, last = self._latest, self.deliveries
        if snapshot is None or snapshot is self._handled:
            return False
        # A clock that was set back must not stop the posts: Alertmanager would treat the alerts as resolved.
        is_due = (
            last.last_at is None
            or snapshot.identity != last.identity
            or not 0 <= snapshot.at - last.last_at < RESEND_AFTER_MS
        )
        self._handled = self._handled if is_due else snapshot
        return is_due

    def _post(self, snapshot: _Snapshot) -> bool:
        """Post a snapshot; a failure is logged without the address."""
        problem, self._asked_wait_ms = "", 0
        try:
            response = self._client.post(self._url, content=encode_alerts(snapshot.alerts), headers=_JSON_HEADERS)
            if not response.is_success:
                problem = f"answered {response.status_code}"
                asked_ms = retry_after_ms(response.headers.get("Retry-After"), time.time_ns() // 1_000_000)
                self._asked_wait_ms = min(asked_ms, MAX_ASKED_WAIT_MS)
        except Exception as error:  # noqa: BLE001  # after any error the thread continues and tries again
            problem = type(error).__name__
        if problem:
            self.deliveries.failed += 1
            _log.warning("alerts_not_delivered", to=self._display_url, error=problem, remedy="trying again")
            return False
        self._handled = snapshot
        self.deliveries.delivered += 1
        self.deliveries.identity, self.deliveries.last_at = snapshot.identity, snapshot.at
        return True


def encode_alerts(alerts: Sequence[PostableAlert]) -> bytes:
    """Return alerts in the form of Alertmanager's API v2."""
    return json.dumps(
        [
            {
                "labels": dict(a.labels),
                "annotations": dict(a.annotations),
                "startsAt": _format_time(a.starts_at),
                "endsAt": _format_time(a.ends_at),
            }
            for a in alerts
        ]
    ).encode()


def _format_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
