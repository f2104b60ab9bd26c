"""Reads alerts and silences from Alertmanager's API v2 and sets silences there; it must not decide what is an alert."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx
import structlog

from telemetry.errors import MotcuaError
from telemetry.slo.alertmanager import parse_addresses, trust_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_log = structlog.get_logger()
TIMEOUT_S = 2.0
CACHE_S = 2.0
"""Readers of the page within this time share one answer, so that many of them cost Alertmanager no more than one."""
NotificationState = Literal["active", "acknowledged", "silenced", "inhibited"]
ACKNOWLEDGED_PREFIX = "ack: "
"""How the comment of a silence begins that says: somebody works on it."""
UNSEEN_SEVERITY = "none"
"""The severity of alerts that are signs between programs: the watchdog and the mutes of closed places."""


class AlertmanagerUnavailable(MotcuaError):
    """No Alertmanager answered, or it refused; the text says which and why."""


@dataclass(frozen=True, slots=True)
class AlertSilence:
    """A silence that is in force or will be: who set it, why, until when (Unix ms), and for which labels."""

    id: str
    created_by: str
    comment: str
    starts_at: int
    ends_at: int
    matchers: tuple[str, ...]

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it says that somebody works on the alert."""
        return self.comment.startswith(ACKNOWLEDGED_PREFIX)

    @property
    def note(self) -> str:
        """The comment without the mark of an acknowledgement."""
        return self.comment.removeprefix(ACKNOWLEDGED_PREFIX)


@dataclass(frozen=True, slots=True)
class NotifiedAlert:
    """An alert as Alertmanager has it; times are Unix ms."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    state: NotificationState
    silence: AlertSilence | None = None


@dataclass(frozen=True, slots=True)
class NotifiedGroup:
    """Alerts that are notified together, and to whom."""

    receiver: str
    labels: Mapping[str, str]
    alerts: tuple[NotifiedAlert, ...]


@dataclass(frozen=True, slots=True)
class Notifications:
    """What Alertmanager has at one moment; `problem` says why it could not be read: then the rest is empty."""

    groups: tuple[NotifiedGroup, ...] = ()
    silences: tuple[AlertSilence, ...] = ()
    problem: str = ""

    @property
    def alerts(self) -> tuple[NotifiedAlert, ...]:
        """Every alert once, in the order of the groups: several receivers may get the same."""
        by_fingerprint = {alert.fingerprint: alert for group in self.groups for alert in group.alerts}
        return tuple(by_fingerprint.values())


@dataclass(slots=True)
class _CachedAnswer:
    at: float = float("-inf")
    notifications: Notifications = field(default_factory=Notifications)


class AlertmanagerClient:
    """Asks the first Alertmanager of a list that answers: those of a cluster share their silences."""

    def __init__(self, addresses: str, timeout_s: float = TIMEOUT_S, ca: str = "") -> None:
        """Raises ConfigError when an address is none, and as `trust_of` for the file `ca`."""
        trust = trust_of(ca)
        self._clients = [
            httpx.Client(
                base_url=url.copy_with(userinfo=b"", path=f"{url.path.rstrip('/')}/api/v2/"),
                auth=httpx.BasicAuth(url.username, url.password) if url.userinfo else None,
                timeout=timeout_s,
                trust_env=False,
                verify=trust,
            )
            for url in parse_addresses(addresses)
        ]
        self._cached = _CachedAnswer()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        with ExitStack() as stack:
            for client in self._clients:
                stack.callback(client.close)

    def read(self) -> Notifications:
        """Return what Alertmanager has, at most CACHE_S old; without an answer its `problem` says why."""
        with self._lock:
            if time.monotonic() - self._cached.at > CACHE_S:
                self._cached = _CachedAnswer(time.monotonic(), self._read_now())
            return self._cached.notifications

    def _read_now(self) -> Notifications:
        try:
            silences = [parse_silence(one) for one in self._request("GET", "silences") if _is_lasting(one)]
            groups = self._request("GET", "alerts/groups")
            by_id = {silence.id: silence for silence in silences}
            return Notifications(tuple(parse_group(one, by_id) for one in groups), tuple(silences))
        except (AlertmanagerUnavailable, KeyError, TypeError, ValueError) as error:
            _log.warning("alerts_not_read", error=repr(error), remedy="check MOTCUA_ALERTMANAGER")
            return Notifications(problem=str(error) if isinstance(error, AlertmanagerUnavailable) else "odd answer")

    def set_silence(self, labels: Mapping[str, str], hours: int, created_by: str, comment: str) -> str:
        """Silence the alerts with exactly these labels from now on for some hours; returns the silence's id.

        Raises AlertmanagerUnavailable.
        """
        matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()]
        now = datetime.now(UTC)
        body = {
            "matchers": matchers, "createdBy": created_by, "comment": comment,
            "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=hours)).isoformat(),
        }  # fmt: skip
        answer = self._request("POST", "silences", body)
        self._forget()
        return str(answer["silenceID"])

    def end_silence(self, silence_id: str) -> None:
        """End a silence now. Raises AlertmanagerUnavailable."""
        self._request("DELETE", f"silence/{silence_id}")
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._cached = _CachedAnswer()

    def _request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401
        problems = []
        for client in self._clients:
            host = f"{client.base_url.host}:{client.base_url.port or ''}".rstrip(":")
            try:
                response = client.request(method, path, json=body)
                if response.is_success:
                    return response.json() if response.content else None
                problems.append(f"{host} answered {response.status_code}: {response.text[:200].strip()}")
            except (httpx.HTTPError, ValueError) as error:
                problems.append(f"{host}: {type(error).__name__}")
        raise AlertmanagerUnavailable("; ".join(problems))


def _is_lasting(raw: Mapping[str, Any]) -> bool:
    return str(raw["status"]["state"]) != "expired"


def parse_silence(raw: Mapping[str, Any]) -> AlertSilence:
    """Return a silence of an answer. Raises KeyError, TypeError, ValueError for one that is none."""
    signs = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    matchers = tuple(
        f"{m['name']}{signs[bool(m['isRegex']), bool(m.get('isEqual', True))]}{m['value']}" for m in raw["matchers"]
    )
    return AlertSilence(
        str(raw["id"]), str(raw["createdBy"]), str(raw["comment"]),
        _parse_time(raw["startsAt"]), _parse_time(raw["endsAt"]), matchers,
    )  # fmt: skip


def parse_group(raw: Mapping[str, Any], silences: Mapping[str, AlertSilence]) -> NotifiedGroup:
    """Return a group of an answer, without the signs between programs. Raises as `parse_silence` does."""
    alerts = [_parse_alert(one, silences) for one in raw["alerts"]]
    people = tuple(a for a in alerts if a.labels.get("severity") != UNSEEN_SEVERITY)
    return NotifiedGroup(str(raw["receiver"]["name"]), dict(raw["labels"]), people)


def _parse_alert(raw: Mapping[str, Any], silences: Mapping[str, AlertSilence]) -> NotifiedAlert:
    status = raw["status"]
    own = [silences[ident] for ident in status["silencedBy"] if ident in silences]
    silence = max(own, key=lambda s: (s.is_acknowledgement, s.ends_at), default=None)
    return NotifiedAlert(
        str(raw["fingerprint"]), dict(raw["labels"]), dict(raw["annotations"]), _parse_time(raw["startsAt"]),
        _state_of(status, silence), silence,
    )  # fmt: skip


def _state_of(status: Mapping[str, Sequence[str]], silence: AlertSilence | None) -> NotificationState:
    if silence is not None:
        return "acknowledged" if silence.is_acknowledgement else "silenced"
    return "inhibited" if status["inhibitedBy"] else "active"


def _parse_time(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
