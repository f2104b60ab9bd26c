"""The adapter's client of an InfluxDB 2 server: write, query, delete, buckets. It must not depend on what is stored.

`influxdb-client` makes every request.  Nothing is retried here: the caller backs off.  Every error names its remedy
and never contains the token.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from msgspec import Struct
from urllib3.exceptions import HTTPError

from telemetry.core.backoff import retry_after_ms
from telemetry.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RowT = TypeVar("RowT")
TIMEOUT_MS: Final = 15_000
"""Longest wait for an answer; a flush's two writes and the server's own limit stay below rollup's overlap of 60 s."""
CHUNK_ROWS: Final = 20_000
MAX_SEARCH_WRITES: Final = 400
"""Most writes in one search for rejected lines, so that it ends well before rollup's overlap."""
MAX_ASKED_WAIT_MS: Final = 300_000
"""The longest pause that the server may ask for with Retry-After."""
_REJECTED_CODES: Final = {400: {"invalid"}, 422: {"unprocessable entity"}}
_ADVICE: Final = {
    401: "check MOTCUA_STORE_TOKEN: it is unknown, revoked or lacks this right",
    403: "check MOTCUA_STORE_TOKEN: it is inactive or lacks this right",
    404: "check org and bucket of MOTCUA_STORE; a deleted bucket is created again when motcua starts",
}


class WriteRejected(StoreError):
    """The server will never accept this body."""

    @property
    def is_expired(self) -> bool:
        """Return whether points are older than the bucket's retention: the server has stored the others."""
        return "outside retention policy" in str(self)


class AccessDenied(StoreUnavailable):
    """The server does not accept the token, or the token lacks the right."""


class BucketInfo(Struct, frozen=True):
    """A bucket of the server; `retention_ms` None is for ever, `org_id` is empty when the token may not see it."""

    org_id: str = ""
    retention_ms: int | None = None


class InfluxSeries(Struct, Generic[RowT]):
    """Rows of one series: time in ns first, then the selected fields."""

    name: str = ""
    tags: dict[str, str] = {}
    values: list[RowT] = []
    columns: list[str] = []


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


def _response_decoder(row: object) -> Any:  # noqa: ANN401  # mypy has no generic cache
    if row not in _RESPONSE_DECODERS:
        _RESPONSE_DECODERS[row] = msgspec.json.Decoder(_QueryResponse[row])  # type: ignore[valid-type]
    return _RESPONSE_DECODERS[row]


class InfluxServer:
    """A server and an organization, used with one token; threads may share it."""

    def __init__(
        self,
        url: str,
        org: str,
        token: str,
        timeout_ms: int = TIMEOUT_MS,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        ca: str = "",
    ) -> None:
        """Prepare; sends nothing yet. `monotonic` returns s; `ca` is a file of authorities, read at each connection."""
        self._url, self._org = url, org
        self._headers = {"Authorization": f"Token {token}"}
        client = InfluxDBClient(
            url=url, token=token, org=org, timeout=timeout_ms, retries=False, ssl_ca_cert=ca or None
        )
        self._client: InfluxDBClient | None = client
        self._writer = client.write_api(write_options=SYNCHRONOUS)
        self._rest: Any = client.api_client.rest_client
        self._write_pause, self._request_pause = _AskedPause(monotonic), _AskedPause(monotonic)

    def write(self, bucket: str, body: bytes) -> None:
        """Write lines; raises WriteRejected or StoreUnavailable."""
        self._check_open()
        self._write_pause.check(f"writing to bucket {bucket}")
        try:
            self._writer.write(bucket, self._org, body, WritePrecision.NS)  # type: ignore[arg-type]
        except ApiException as error:
            self._write_pause.begin(error)
            raise _translate_write_error(int(error.status or 0), error.body, f"writing to bucket {bucket}") from None
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None

    def write_accepted(self, bucket: str, lines: Sequence[bytes]) -> tuple[dict[int, str], bool]:
        """Write all lines but those rejected; returns reasons by their index, and whether the search was completed.

        Writing a good line again changes nothing.  A search that was not completed continues when the rest is written
        again without the rejected lines.  Raises StoreUnavailable.
        """
        rejected: dict[int, str] = {}
        pending = [(0, len(lines))] if lines else []
        for _ in range(MAX_SEARCH_WRITES):
            if not pending:
                break
            start, end = pending.pop()
            try:
                self.write(bucket, b"\n".join(lines[start:end]))
            except WriteRejected as error:
                middle = (start + end) // 2
                if end - start == 1:
                    rejected[start] = str(error)
                else:
                    pending += [(middle, end), (start, middle)]
        return rejected, not pending

    def query(self, bucket: str, row: type[RowT], *statements: str) -> list[list[InfluxSeries[RowT]]]:
        """Return the series of each InfluxQL statement, fields as `row` names them; a long one may be in parts."""
        form = {"db": bucket, "epoch": "ns", "q": ";".join(statements), "chunked": "true", "chunk_size": CHUNK_ROWS}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._request("POST", "/query", headers=headers, post_params=form)
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
        target = {"org": self._org, "bucket": bucket}
        payload = {"start": start, "stop": stop, "predicate": predicate}
        status, body = self._request("POST", "/api/v2/delete", query_params=target, body=payload)
        if status != 204:
            raise _unavailable_error(status, _parse_error(body), f"deleting from bucket {bucket}")

    def find_bucket(self, name: str) -> BucketInfo | None:
        """Return a bucket, None when there is none; raises AccessDenied or StoreUnavailable."""
        status, body = self._request("GET", "/api/v2/buckets", query_params={"org": self._org, "name": name})
        fault = _parse_error(body) if status != 200 else _ErrorBody()
        if status == 404 and fault.message.startswith("bucket"):
            return None
        if status != 200:
            raise _unavailable_error(status, fault, f"finding bucket {name}")
        buckets = msgspec.json.decode(body)["buckets"]
        if not buckets:
            return BucketInfo()
        rules = buckets[0].get("retentionRules") or [{}]
        return BucketInfo(buckets[0]["orgID"], rules[0].get("everySeconds", 0) * 1000 or None)

    def create_bucket(self, name: str, org_id: str) -> None:
        """Create a bucket with infinite retention, unless another process has created it meanwhile."""
        payload = {"orgID": org_id, "name": name, "retentionRules": []}
        status, body = self._request("POST", "/api/v2/buckets", body=payload)
        fault = _parse_error(body)
        if status != 201 and fault.code != "conflict":
            raise _unavailable_error(status, fault, f"creating bucket {name}")

    def find_org_id(self) -> str:
        """Return the organization's id, empty when the token may not see it."""
        status, body = self._request("GET", "/api/v2/orgs", query_params={"org": self._org})
        orgs = msgspec.json.decode(body).get("orgs") if status == 200 else None
        return str(orgs[0]["id"]) if orgs else ""

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    def _check_open(self) -> None:
        if self._client is None:
            raise StoreUnavailable("the store is closed; open it again")

    def _request(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **request: object
    ) -> tuple[int, bytes]:
        """Return the answer's status and body, whatever the status; raises StoreUnavailable when there is none."""
        self._check_open()
        self._request_pause.check(f"{method} {path}")
        all_headers = {**self._headers, **(headers or {})}
        try:
            answer = self._rest.request(
                method, self._url + path, headers=all_headers, _preload_content=False, **request
            )
            return answer.status, answer.data
        except ApiException as error:
            if not error.status:
                raise self._unreachable(error) from None
            self._request_pause.begin(error)
            return error.status, error.body or b""
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> StoreUnavailable:
        kind = type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return StoreUnavailable(
                f"InfluxDB at {self._url} shows a certificate that is not trusted ({kind}): name the file of its "
                "authority in MOTCUA_STORE as &ca=FILE, and the host as the certificate does; trying again"
            )
        return StoreUnavailable(f"InfluxDB at {self._url} does not answer ({kind}); is it running? trying again")


class _AskedPause:
    """The pause that the server asked for: until its end nothing is sent, whoever calls."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ends_at_s = 0.0

    def begin(self, error: ApiException) -> None:
        """Begin a pause when the answer has Retry-After."""
        headers: Mapping[str, str] = error.headers or {}
        asked_ms = retry_after_ms(headers.get("Retry-After"), time.time_ns() // 1_000_000)
        with self._lock:
            self._ends_at_s = max(self._ends_at_s, self._monotonic() + min(asked_ms, MAX_ASKED_WAIT_MS) / 1000)

    def check(self, what: str) -> None:
        """Raise StoreUnavailable during a pause."""
        with self._lock:
            remaining_s = self._ends_at_s - self._monotonic()
        if remaining_s > 0:
            raise StoreUnavailable(f"InfluxDB, {what}: it asked for a pause of {remaining_s:.0f} s more; trying again")


def _parse_error(body: Any) -> _ErrorBody:  # noqa: ANN401  # bytes or str
    """Return code and message; a quoted line is left out, because it may be an event."""
    try:
        parsed = msgspec.json.decode(body or b"{}", type=_ErrorBody)
    except (msgspec.MsgspecError, ValueError):
        return _ErrorBody("", "not an answer of InfluxDB")
    return _ErrorBody(parsed.code, re.sub(r"'.*'", "a line", parsed.message, flags=re.DOTALL)[:300])


def _translate_write_error(status: int, body: object, what: str) -> StoreError:
    """Return the error of a failed write: the body can never be accepted, or not now."""
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
