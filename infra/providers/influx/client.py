"""The providers' client of an InfluxDB 2 server's HTTP API. It must not depend on what is provisioned.

The JSON `code` decides what an answer means, never the status alone: a proxy's page with status 404 does not prove
that a resource was deleted. No error text contains a secret.
"""

from __future__ import annotations

import hmac
import ssl
import threading
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NoReturn, cast

import httpx

from infra.providers.resource_kind import ProviderError
from telemetry.core.backoff import retry_after_ms
from telemetry.http_address import http_base_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.providers.influx.reachability import Reachability

Json = dict[str, object]
JsonBody = Mapping[str, object]
QueryParameters = Mapping[str, str | int]
API_PREFIX: Final = "/api/v2"
TIMEOUT_S: Final = 15.0
CONNECT_S: Final = 5.0
RETRY_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)
"""Waits before an idempotent call is repeated, s."""
MAX_ASKED_WAIT_S: Final = 60.0
"""The longest wait, s, that the server may ask for before one repetition."""
TOKEN_ADVICE: Final = "is the operator token right? config motcua:influxToken"  # noqa: S105 - a hint, no token
UNREACHABLE_ADVICE: Final = "is it running, and is the address right? config motcua:influx, url"
_RETRY_STATUSES: Final = {429, 503}
_IDEMPOTENT_METHODS: Final = {"GET", "PATCH", "DELETE"}
_TIMEOUT: Final = "Timeout"
"""The end of the names of httpx's timeouts."""
_SECRET_FIELDS: Final = ("token", "password", "remoteAPIToken")


class InfluxApiError(ProviderError):
    """InfluxDB refused; `code` is its error code, empty without one."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class InfluxClient:
    """A server with its operator token; any number of threads may share the client.

    `owner` is written into the ownership tag of created objects, so that two stacks on one server do not conflict.
    With `reachability` a call fails at once when an earlier one of the same run was not answered.
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        url: str,
        token: str,
        *,
        owner: str = "",
        reachability: Reachability | None = None,
        transport: httpx.BaseTransport | None = None,
        authority: str = "",
        timeout_s: float = TIMEOUT_S,
        pauses_s: Sequence[float] = RETRY_PAUSES_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare without a connection; `authority`: certificates, PEM, trusted beside the public ones.

        Raises ProviderError for a text that is no HTTP address, or no certificate.
        """
        self.url = _validate_url(url)
        self.owner = owner
        self._reachability = reachability
        self._token, self._pauses, self._sleep = token, tuple(pauses_s), sleep
        limits = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
        self._http = httpx.Client(
            base_url=self.url, transport=transport, timeout=limits, trust_env=False, verify=_trust(authority)
        )
        self._operator_id = ""
        self._lock = threading.Lock()

    def get(self, path: str, **query: str | int) -> Json:
        """Return what is at a path. Raises InfluxApiError or ProviderError."""
        return self._request("GET", path, query=query)

    def find(self, path: str, **query: str | int) -> Json | None:
        """Return the object at a path, None when InfluxDB itself answers that it does not exist."""
        try:
            return self._request("GET", path, query=query)
        except InfluxApiError as error:
            if error.code != "not found":
                raise
        return None

    def post(self, path: str, body: JsonBody) -> Json:
        """Create something; never repeated, because the first call may have created it."""
        return self._request("POST", path, body)

    def patch(self, path: str, body: JsonBody, **query: str | int) -> Json:
        """Change what is at a path."""
        return self._request("PATCH", path, body, query)

    def delete(self, path: str, **query: str | int) -> bool:
        """Delete the object at a path; False when InfluxDB answers that it does not exist."""
        try:
            self._request("DELETE", path, query=query)
        except InfluxApiError as error:
            if error.code != "not found":
                raise
            return False
        return True

    def set_up(self, body: JsonBody) -> Json:
        """Set the server up with this client's token as its operator token."""
        return self._request("POST", "/setup", {**body, "token": self._token})

    def fetch_operator_id(self) -> str:
        """Return the id of the user behind the token; it identifies the server's data, because it is random."""
        operator_id = str(self.get("/me")["id"])
        with self._lock:
            self._operator_id = operator_id
        return operator_id

    def cached_operator_id(self) -> str:
        """Return the same, fetched only once."""
        return self._operator_id or self.fetch_operator_id()

    def derive_secret(self, purpose: str) -> str:
        """Return a secret that can only be computed with the token."""
        return hmac.new(self._token.encode(), purpose.encode(), sha256).hexdigest()

    def accepts_password(self, username: str, password: str) -> bool:
        """Return whether the server accepts this user's password."""
        try:
            answer = self._http.post(f"{API_PREFIX}/signin", auth=(username, password))
        except httpx.HTTPError:
            return False
        return answer.status_code == 204

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _request(
        self, method: str, path: str, body: JsonBody | None = None, query: QueryParameters | None = None
    ) -> Json:
        what = f"{method} {path}"
        answer = self._send_with_retries(method, path, body, query or {})
        if isinstance(answer, str):
            raise ProviderError(f"InfluxDB at {self.url} does not answer {what} ({answer}); {UNREACHABLE_ADVICE}")
        payload = _parse_object(answer)
        if not answer.is_success or payload is None:
            self._raise_error(what, answer.status_code, payload, _secrets_in(body))
        return payload

    def _send_with_retries(
        self, method: str, path: str, body: JsonBody | None, query: QueryParameters
    ) -> httpx.Response | str:
        """Return the last answer, or the name of the connection's error."""
        failure = self._reachability.failure(self._ping) if self._reachability else ""
        if failure:
            return failure
        answer = self._repeat(lambda: self._send_once(method, path, body, query), method in _IDEMPOTENT_METHODS)
        if self._reachability and isinstance(answer, str):
            self._reachability.report_failure(answer)
        return answer

    def _repeat(self, send: Callable[[], httpx.Response | str], repeatable: bool) -> httpx.Response | str:  # noqa: FBT001 - private
        """Send again after an error that may pass; a server that kept silent until the timeout is not asked again."""
        pauses = list(self._pauses) if repeatable else []
        while True:
            answer = send()
            transient = (
                not answer.endswith(_TIMEOUT) if isinstance(answer, str) else answer.status_code in _RETRY_STATUSES
            )
            if not transient or not pauses:
                return answer
            self._sleep(max(pauses.pop(0), _asked_wait_s(answer)))

    def _ping(self) -> str:
        """Return the name of the connection's error, empty when the server answers anything."""

        def send() -> httpx.Response | str:
            try:
                return self._http.get("/ping", timeout=CONNECT_S)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return _failure_name(error)

        answer = self._repeat(send, repeatable=True)
        return answer if isinstance(answer, str) else ""

    def _send_once(self, method: str, path: str, body: JsonBody | None, query: QueryParameters) -> httpx.Response | str:
        headers = {"Authorization": f"Token {self._token}"}
        try:
            return self._http.request(method, API_PREFIX + path, json=body, params=dict(query), headers=headers)
        except (httpx.HTTPError, UnicodeEncodeError, httpx.InvalidURL, httpx.StreamError, RuntimeError) as error:
            return _failure_name(error)

    def _raise_error(self, what: str, status: int, payload: Json | None, secret_outputs: Sequence[str]) -> NoReturn:
        code = str((payload or {}).get("code", ""))
        message = str((payload or {}).get("message", "")) if code else "not an answer of InfluxDB"
        for secret in (self._token, *secret_outputs):
            message = message.replace(secret, "…") if secret else message
        if "UNIQUE constraint failed" in message:
            code, message = "conflict", "the name is taken"
        raise InfluxApiError(
            f"InfluxDB at {self.url}, {what}: {status} {message[:300]}{_remedy_for(code, status)}", code
        )


def _failure_name(error: Exception) -> str:
    return "its certificate is not trusted" if "CERTIFICATE_VERIFY_FAILED" in str(error) else type(error).__name__


def _trust(authority: str) -> ssl.SSLContext | bool:
    if not authority:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=authority)
    except ssl.SSLError:
        raise ProviderError(
            "InfluxDB's authority is no certificate; correct config motcua:cloud, internalAuthority"
        ) from None
    return context


def _validate_url(url: str) -> str:
    base_url = http_base_url(url)
    if not base_url:
        raise ProviderError("InfluxDB's address is no http://HOST:PORT without a user; set config motcua:influx, url")
    return base_url


def _asked_wait_s(answer: httpx.Response | str) -> float:
    """Return the wait that an answer asks for with Retry-After, at most MAX_ASKED_WAIT_S."""
    if isinstance(answer, str):
        return 0.0
    asked_ms = retry_after_ms(answer.headers.get("Retry-After"), time.time_ns() // 1_000_000)
    return min(asked_ms / 1000, MAX_ASKED_WAIT_S)


def _parse_object(answer: httpx.Response) -> Json | None:
    """Return an answer's object, an empty one without content, None when it is no object."""
    if not answer.content:
        return {}
    try:
        payload = answer.json()
    except ValueError:
        return None
    return cast("Json", payload) if isinstance(payload, dict) else None


def _secrets_in(body: JsonBody | None) -> list[str]:
    return [str(body[name]) for name in _SECRET_FIELDS if body and body.get(name)]


def _remedy_for(code: str, status: int) -> str:
    if code in {"unauthorized", "forbidden"} or (not code and status in {401, 403}):
        return f"; {TOKEN_ADVICE}"
    if status >= 500 and code != "conflict":
        return "; look at InfluxDB's log, then run again"
    if code == "conflict":
        return "; choose another name, or rename or delete what has it"
    if code == "not found":
        return "; it was deleted: refresh, then run again"
    return "" if code else f"; {UNREACHABLE_ADVICE}"
