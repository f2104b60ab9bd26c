"""The one door of the providers to an InfluxDB 2 server's HTTP API. It must not know what is provisioned.

What an answer means is decided by the JSON `code`, never by the status alone: a page of some proxy that says 404 is
no proof that a thing is gone. No text raised here holds a secret.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NoReturn, cast
from urllib.parse import urlsplit

import httpx

from infra.providers.resource_kind import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, object]
Body = Mapping[str, object]
Query = Mapping[str, str | int]
API: Final = "/api/v2"
TIMEOUT_S: Final = 15.0
CONNECT_S: Final = 5.0
PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)
"""Waits before an idempotent call is tried again."""
TOKEN_ADVICE: Final = "is the operator token right? config motcua:influxToken"  # noqa: S105 - a hint, no token
AWAY_ADVICE: Final = "is it running, and is the address right? config motcua:influx, url"
_AGAIN: Final = {429, 503}
_IDEMPOTENT: Final = {"GET", "PUT", "PATCH", "DELETE"}
_SECRET_FIELDS: Final = ("token", "password", "remoteAPIToken")


class Refusal(ProviderError):
    """InfluxDB answered no; `code` is its own word for why, empty when it gave none."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class Client:
    """A server asked with the operator token; any number of threads may share it.

    `owner` is written into the mark of what is made, so that two stacks on one server keep apart.
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        url: str,
        token: str,
        *,
        owner: str = "",
        transport: httpx.BaseTransport | None = None,
        timeout_s: float = TIMEOUT_S,
        pauses_s: Sequence[float] = PAUSES_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; speaks to nobody yet. Raises ProviderError for a text that is no HTTP address."""
        self.url = _checked(url)
        self.owner = owner
        self._token, self._pauses, self._sleep = token, tuple(pauses_s), sleep
        limits = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
        self._http = httpx.Client(base_url=self.url, transport=transport, timeout=limits, trust_env=False)
        self._me = ""
        self._lock = threading.Lock()

    def get(self, path: str, **query: str | int) -> Json:
        """Return what is at a path. Raises Refusal or ProviderError."""
        return self._call("GET", path, query=query)

    def find(self, path: str, **query: str | int) -> Json | None:
        """Return what is at a path, None when InfluxDB itself says that there is nothing."""
        try:
            return self._call("GET", path, query=query)
        except Refusal as error:
            if error.code != "not found":
                raise
        return None

    def post(self, path: str, body: Body) -> Json:
        """Make something; never tried twice, because the first try may have made it."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Body, **query: str | int) -> Json:
        """Change what is at a path."""
        return self._call("PATCH", path, body, query)

    def put(self, path: str, body: Body) -> Json:
        """Replace what is at a path."""
        return self._call("PUT", path, body)

    def remove(self, path: str, **query: str | int) -> bool:
        """Remove what is at a path; False when InfluxDB says that there is nothing."""
        try:
            self._call("DELETE", path, query=query)
        except Refusal as error:
            if error.code != "not found":
                raise
            return False
        return True

    def set_up(self, body: Body) -> Json:
        """Set the server up with this client's token as its operator token."""
        return self._call("POST", "/setup", {**body, "token": self._token})

    def operator(self) -> str:
        """Return the id of the user behind the token; it names the server's data, for it is random."""
        found = str(self.get("/me")["id"])
        with self._lock:
            self._me = found
        return found

    def known_operator(self) -> str:
        """Return the same, asked once only."""
        return self._me or self.operator()

    def derived(self, purpose: str) -> str:
        """Return a secret that only who knows the token can compute."""
        return hmac.new(self._token.encode(), purpose.encode(), sha256).hexdigest()

    def signs_in(self, username: str, password: str) -> bool:
        """Tell whether the server takes this user's password."""
        try:
            answer = self._http.post(f"{API}/signin", auth=(username, password))
        except httpx.HTTPError:
            return False
        return answer.status_code == 204

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, method: str, path: str, body: Body | None = None, query: Query | None = None) -> Json:
        what = f"{method} {path}"
        answer = self._answer(method, path, body, query or {})
        if isinstance(answer, str):
            raise ProviderError(f"InfluxDB at {self.url} does not answer {what} ({answer}); {AWAY_ADVICE}")
        said = _json(answer)
        if not answer.is_success or said is None:
            self._refuse(what, answer.status_code, said, _secrets(body))
        return said

    def _answer(self, method: str, path: str, body: Body | None, query: Query) -> httpx.Response | str:
        """Return the last try's answer, or the name of what went wrong on the way."""
        pauses = list(self._pauses) if method in _IDEMPOTENT else []
        while True:
            answer = self._try(method, path, body, query)
            again = isinstance(answer, str) or answer.status_code in _AGAIN
            if not again or not pauses:
                return answer
            self._sleep(pauses.pop(0))

    def _try(self, method: str, path: str, body: Body | None, query: Query) -> httpx.Response | str:
        headers = {"Authorization": f"Token {self._token}"}
        try:
            return self._http.request(method, API + path, json=body, params=dict(query), headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        except (UnicodeEncodeError, httpx.InvalidURL, httpx.StreamError, RuntimeError) as error:
            return type(error).__name__

    def _refuse(self, what: str, status: int, said: Json | None, secrets: Sequence[str]) -> NoReturn:
        code = str((said or {}).get("code", ""))
        message = str((said or {}).get("message", "")) if code else "not an answer of InfluxDB"
        for secret in (self._token, *secrets):
            message = message.replace(secret, "…") if secret else message
        if "UNIQUE constraint failed" in message:
            code, message = "conflict", "the name is taken"
        raise Refusal(f"InfluxDB at {self.url}, {what}: {status} {message[:300]}{_advice(code, status)}", code)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.username is not None:
        raise ProviderError("InfluxDB's address is no http://HOST:PORT without a user; set config motcua:influx, url")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _json(answer: httpx.Response) -> Json | None:
    """Return an answer's object, an empty one when there is no content, None when it is something else."""
    if not answer.content:
        return {}
    try:
        said = answer.json()
    except ValueError:
        return None
    return cast("Json", said) if isinstance(said, dict) else None


def _secrets(body: Body | None) -> list[str]:
    return [str(body[name]) for name in _SECRET_FIELDS if body and body.get(name)]


def _advice(code: str, status: int) -> str:
    if code in {"unauthorized", "forbidden"} or (not code and status in {401, 403}):
        return f"; {TOKEN_ADVICE}"
    if status >= 500 and code != "conflict":
        return "; look at InfluxDB's log, then run again"
    if code == "conflict":
        return "; choose another name, or rename or delete what has it"
    if code == "not found":
        return "; it is gone: refresh, then run again"
    return "" if code else f"; {AWAY_ADVICE}"
