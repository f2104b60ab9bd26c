"""The one door to an InfluxDB 2 server: write, ask, delete, buckets. It must not know what is stored.

Nothing is tried twice here: whoever writes backs off.  Every refusal says what to do and never holds the token.
"""

from __future__ import annotations

import re
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from msgspec import Struct
from urllib3.exceptions import HTTPError

from telemetry.errors import StoreError, StoreUnavailable

Row = TypeVar("Row")
TIMEOUT_MS: Final = 15_000
"""Longest wait for an answer; a flush's two writes and the server's own limit stay below rollup's overlap of 60 s."""
CHUNK_ROWS: Final = 20_000
_POISON: Final = {400: {"invalid"}, 422: {"unprocessable entity"}}
_ADVICE: Final = {
    401: "check MOTCUA_STORE_TOKEN: it is unknown, revoked or lacks this right",
    403: "check MOTCUA_STORE_TOKEN: it is inactive or lacks this right",
    404: "check org and bucket of MOTCUA_STORE; a bucket that was deleted is made again when motcua starts",
}


class Refused(StoreError):
    """The server will never take this body."""


class Denied(StoreUnavailable):
    """The server knows us not, or does not allow this."""


class Bucket(Struct, frozen=True):
    """A bucket as the server tells it; `keep_ms` None keeps for ever, `org_id` empty when we may not see it."""

    org_id: str = ""
    keep_ms: int | None = None


class Found(Struct, Generic[Row]):
    """Rows of one series: time in ns first, then the fields asked for."""

    name: str = ""
    tags: dict[str, str] = {}
    values: list[Row] = []


class _Result(Struct, Generic[Row]):
    statement_id: int = 0
    series: list[Found[Row]] = []
    error: str = ""


class _Answer(Struct, Generic[Row]):
    results: list[_Result[Row]] = []
    error: str = ""


class _Fault(Struct):
    code: str = ""
    message: str = ""


_DECODERS: dict[object, Any] = {}


def _decoder(row: object) -> Any:  # noqa: ANN401  # mypy knows no generic cache
    if row not in _DECODERS:
        _DECODERS[row] = msgspec.json.Decoder(_Answer[row])  # type: ignore[valid-type]
    return _DECODERS[row]


class Server:
    """A server and an organization, asked with one token; threads may share it."""

    def __init__(self, url: str, org: str, token: str, timeout_ms: int = TIMEOUT_MS) -> None:
        """Prepare; speaks to nobody yet."""
        self._url, self._org = url, org
        client = InfluxDBClient(url=url, token=token, org=org, timeout=timeout_ms, retries=False)
        self._writer = client.write_api(write_options=SYNCHRONOUS)
        self._http = urllib3.PoolManager(maxsize=8, retries=False, timeout=timeout_ms / 1000)
        self._headers = {"Authorization": f"Token {token}"}
        self._client: InfluxDBClient | None = client

    def write(self, bucket: str, body: bytes) -> None:
        """Write lines; raises Refused or StoreUnavailable."""
        self._must_be_open()
        try:
            self._writer.write(bucket, self._org, body, WritePrecision.NS)  # type: ignore[arg-type]
        except ApiException as error:
            raise _meaning(int(error.status or 0), error.body, f"writing to bucket {bucket}") from None
        except (HTTPError, OSError) as error:
            raise self._away(error) from None

    def ask(self, bucket: str, row: type[Row], *questions: str) -> list[list[Found[Row]]]:
        """Return the series of each InfluxQL question, fields as `row` names them; a long one may come in parts."""
        form = {"db": bucket, "epoch": "ns", "q": ";".join(questions), "chunked": "true", "chunk_size": str(CHUNK_ROWS)}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._call("POST", "/query", urlencode(form).encode(), kind)
        if status != 200:
            raise _unavailable(status, _fault(body), f"reading bucket {bucket}")
        out: list[list[Found[Row]]] = [[] for _ in questions]
        for line in body.splitlines():
            answer: _Answer[Row] = _decoder(row).decode(line)
            for result in answer.results:
                if result.error or answer.error:
                    fault = _Fault("", result.error or answer.error)
                    raise _unavailable(404, fault, f"reading bucket {bucket}")
                out[result.statement_id] += result.series
        return out

    def delete(self, bucket: str, start: str, stop: str, predicate: str) -> None:
        """Delete points from start to stop, both inclusive, RFC 3339 with ns."""
        told = msgspec.json.encode({"start": start, "stop": stop, "predicate": predicate})
        path = f"/api/v2/delete?{urlencode({'org': self._org, 'bucket': bucket})}"
        status, body = self._call("POST", path, told)
        if status != 204:
            raise _unavailable(status, _fault(body), f"deleting from bucket {bucket}")

    def bucket(self, name: str) -> Bucket | None:
        """Return what is known of a bucket, None when there is none; raises Denied or StoreUnavailable."""
        status, body = self._call("GET", f"/api/v2/buckets?{urlencode({'org': self._org, 'name': name})}")
        fault = _fault(body) if status != 200 else _Fault()
        if status == 404 and fault.message.startswith("bucket"):
            return None
        if status != 200:
            raise _unavailable(status, fault, f"looking for bucket {name}")
        seen = msgspec.json.decode(body)["buckets"]
        if not seen:
            return Bucket()
        rules = seen[0].get("retentionRules") or [{}]
        return Bucket(seen[0]["orgID"], rules[0].get("everySeconds", 0) * 1000 or None)

    def make_bucket(self, name: str, org_id: str) -> None:
        """Make a bucket that keeps for ever; one that another process made meanwhile is welcome."""
        told = msgspec.json.encode({"orgID": org_id, "name": name, "retentionRules": []})
        status, body = self._call("POST", "/api/v2/buckets", told)
        fault = _fault(body)
        if status != 201 and fault.code != "conflict":
            raise _unavailable(status, fault, f"making bucket {name}")

    def org_id(self) -> str:
        """Return the organization's id, empty when we may not see it."""
        status, body = self._call("GET", f"/api/v2/orgs?org={quote(self._org)}")
        seen = msgspec.json.decode(body).get("orgs") if status == 200 else None
        return str(seen[0]["id"]) if seen else ""

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None
            self._http.clear()

    def _must_be_open(self) -> None:
        if self._client is None:
            raise StoreUnavailable("the store is closed; open it again")

    def _call(self, method: str, path: str, body: bytes = b"", more: dict[str, str] | None = None) -> tuple[int, bytes]:
        self._must_be_open()
        headers = {**self._headers, **(more or {})}
        try:
            answer = self._http.request(method, self._url + path, body=body or None, headers=headers)
        except (HTTPError, OSError) as error:
            raise self._away(error) from None
        return answer.status, answer.data

    def _away(self, error: Exception) -> StoreUnavailable:
        kind = type(error).__name__
        return StoreUnavailable(f"InfluxDB at {self._url} does not answer ({kind}); is it running? trying again")


def _fault(body: Any) -> _Fault:  # noqa: ANN401  # bytes or str, as the client likes
    """Return code and message; the line that a message quotes is left out, because it may be an event."""
    try:
        fault = msgspec.json.decode(body or b"{}", type=_Fault)
    except (msgspec.MsgspecError, ValueError):
        return _Fault("", "not an answer of InfluxDB")
    return _Fault(fault.code, re.sub(r"'.*'", "a line", fault.message, flags=re.DOTALL)[:300])


def _meaning(status: int, body: object, what: str) -> StoreError:
    """Return what a refused write means: the body can never be taken, or not now."""
    fault = _fault(body)
    poison = status == 413 or fault.code in _POISON.get(status, set())
    if poison and "field type conflict" not in fault.message:
        return Refused(f"{what}: {status} {fault.message}")
    return _unavailable(status, fault, what)


def _unavailable(status: int, fault: _Fault, what: str) -> StoreUnavailable:
    advice = _ADVICE.get(status, "trying again")
    if "field type conflict" in fault.message:
        advice = "the bucket holds another program's points; name another bucket in MOTCUA_STORE"
    kind = Denied if status in _ADVICE else StoreUnavailable
    return kind(f"InfluxDB, {what}: {status} {fault.message}; {advice}")
