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

RowT = TypeVar("RowT")
TIMEOUT_MS: Final = 15_000
"""Longest wait for an answer; a flush's two writes and the server's own limit stay below rollup's overlap of 60 s."""
CHUNK_ROWS: Final = 20_000
_REJECTED_CODES: Final = {400: {"invalid"}, 422: {"unprocessable entity"}}
_ADVICE: Final = {
    401: "check MOTCUA_STORE_TOKEN: it is unknown, revoked or lacks this right",
    403: "check MOTCUA_STORE_TOKEN: it is inactive or lacks this right",
    404: "check org and bucket of MOTCUA_STORE; a bucket that was deleted is made again when motcua starts",
}


class WriteRejected(StoreError):
    """The server will never take this body."""


class AccessDenied(StoreUnavailable):
    """The server knows us not, or does not allow this."""


class BucketInfo(Struct, frozen=True):
    """A bucket as the server tells it; `keep_ms` None keeps for ever, `org_id` empty when we may not see it."""

    org_id: str = ""
    retention_ms: int | None = None


class InfluxSeries(Struct, Generic[RowT]):
    """Rows of one series: time in ns first, then the fields asked for."""

    name: str = ""
    tags: dict[str, str] = {}
    values: list[RowT] = []


class _StatementResult(Struct, Generic[RowT]):
    statement_id: int = 0
    series: list[InfluxSeries[RowT]] = []
    error: str = ""


class _QueryResponse(Struct, Generic[RowT]):
    results: list[_StatementResult[RowT]] = []
    error: str = ""


class _ErrorBody(Struct):
    code: str = ""
    message: str = ""


_RESPONSE_DECODERS: dict[object, Any] = {}


def _response_decoder(row: object) -> Any:  # noqa: ANN401  # mypy knows no generic cache
    if row not in _RESPONSE_DECODERS:
        _RESPONSE_DECODERS[row] = msgspec.json.Decoder(_QueryResponse[row])  # type: ignore[valid-type]
    return _RESPONSE_DECODERS[row]


class InfluxServer:
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
        self._check_open()
        try:
            self._writer.write(bucket, self._org, body, WritePrecision.NS)  # type: ignore[arg-type]
        except ApiException as error:
            raise _translate_write_error(int(error.status or 0), error.body, f"writing to bucket {bucket}") from None
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None

    def query(self, bucket: str, row: type[RowT], *statements: str) -> list[list[InfluxSeries[RowT]]]:
        """Return the series of each InfluxQL question, fields as `row` names them; a long one may come in parts."""
        form = {
            "db": bucket,
            "epoch": "ns",
            "q": ";".join(statements),
            "chunked": "true",
            "chunk_size": str(CHUNK_ROWS),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._request("POST", "/query", urlencode(form).encode(), headers)
        if status != 200:
            raise _unavailable_error(status, _parse_error(body), f"reading bucket {bucket}")
        out: list[list[InfluxSeries[RowT]]] = [[] for _ in statements]
        for line in body.splitlines():
            answer: _QueryResponse[RowT] = _response_decoder(row).decode(line)
            for result in answer.results:
                if result.error or answer.error:
                    fault = _ErrorBody("", result.error or answer.error)
                    raise _unavailable_error(404, fault, f"reading bucket {bucket}")
                out[result.statement_id] += result.series
        return out

    def delete(self, bucket: str, start: str, stop: str, predicate: str) -> None:
        """Delete points from start to stop, both inclusive, RFC 3339 with ns."""
        payload = msgspec.json.encode({"start": start, "stop": stop, "predicate": predicate})
        path = f"/api/v2/delete?{urlencode({'org': self._org, 'bucket': bucket})}"
        status, body = self._request("POST", path, payload)
        if status != 204:
            raise _unavailable_error(status, _parse_error(body), f"deleting from bucket {bucket}")

    def find_bucket(self, name: str) -> BucketInfo | None:
        """Return what is known of a bucket, None when there is none; raises Denied or StoreUnavailable."""
        status, body = self._request("GET", f"/api/v2/buckets?{urlencode({'org': self._org, 'name': name})}")
        fault = _parse_error(body) if status != 200 else _ErrorBody()
        if status == 404 and fault.message.startswith("bucket"):
            return None
        if status != 200:
            raise _unavailable_error(status, fault, f"looking for bucket {name}")
        buckets = msgspec.json.decode(body)["buckets"]
        if not buckets:
            return BucketInfo()
        rules = buckets[0].get("retentionRules") or [{}]
        return BucketInfo(buckets[0]["orgID"], rules[0].get("everySeconds", 0) * 1000 or None)

    def create_bucket(self, name: str, org_id: str) -> None:
        """Make a bucket that keeps for ever; one that another process made meanwhile is welcome."""
        payload = msgspec.json.encode({"orgID": org_id, "name": name, "retentionRules": []})
        status, body = self._request("POST", "/api/v2/buckets", payload)
        fault = _parse_error(body)
        if status != 201 and fault.code != "conflict":
            raise _unavailable_error(status, fault, f"making bucket {name}")

    def find_org_id(self) -> str:
        """Return the organization's id, empty when we may not see it."""
        status, body = self._request("GET", f"/api/v2/orgs?org={quote(self._org)}")
        orgs = msgspec.json.decode(body).get("orgs") if status == 200 else None
        return str(orgs[0]["id"]) if orgs else ""

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None
            self._http.clear()

    def _check_open(self) -> None:
        if self._client is None:
            raise StoreUnavailable("the store is closed; open it again")

    def _request(
        self, method: str, path: str, body: bytes = b"", extra_headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        self._check_open()
        headers = {**self._headers, **(extra_headers or {})}
        try:
            answer = self._http.request(method, self._url + path, body=body or None, headers=headers)
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        return answer.status, answer.data

    def _unreachable(self, error: Exception) -> StoreUnavailable:
        kind = type(error).__name__
        return StoreUnavailable(f"InfluxDB at {self._url} does not answer ({kind}); is it running? trying again")


def _parse_error(body: Any) -> _ErrorBody:  # noqa: ANN401  # bytes or str, as the client likes
    """Return code and message; the line that a message quotes is left out, because it may be an event."""
    try:
        parsed = msgspec.json.decode(body or b"{}", type=_ErrorBody)
    except (msgspec.MsgspecError, ValueError):
        return _ErrorBody("", "not an answer of InfluxDB")
    return _ErrorBody(parsed.code, re.sub(r"'.*'", "a line", parsed.message, flags=re.DOTALL)[:300])


def _translate_write_error(status: int, body: object, what: str) -> StoreError:
    """Return what a refused write means: the body can never be taken, or not now."""
    fault = _parse_error(body)
    is_rejected = status == 413 or fault.code in _REJECTED_CODES.get(status, set())
    if is_rejected and "field type conflict" not in fault.message:
        return WriteRejected(f"{what}: {status} {fault.message}")
    return _unavailable_error(status, fault, what)


def _unavailable_error(status: int, fault: _ErrorBody, what: str) -> StoreUnavailable:
    advice = _ADVICE.get(status, "trying again")
    if "field type conflict" in fault.message:
        advice = "the bucket holds another program's points; name another bucket in MOTCUA_STORE"
    error_class = AccessDenied if status in _ADVICE else StoreUnavailable
    return error_class(f"InfluxDB, {what}: {status} {fault.message}; {advice}")
