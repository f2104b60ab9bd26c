"""A real InfluxDB with an organisation of one's own for each test, things of every kind, and a line that is cut."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.providers.influx import KINDS
from infra.providers.influx.client import InfluxClient
from infra.providers.resource_kind import difference
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.influx.resource import InfluxKind
    from infra.providers.resource_kind import Difference, Props, ResourceState

FLUX = 'option task = {name: "shown", every: 1h}\n\nfrom(bucket: "raw")\n    |> range(start: -1h)\n'
PLANTED = "planted-secret-of-this-test"
WITHIN = ("bucket", "authorization", "task", "dbrp", "remote", "replication")
"""The kinds that lie in an organisation."""
EVERY = ("organisation", *WITHIN)
_LISTS = {
    "organisation": ("/orgs?limit=100&offset={offset}", "orgs", "name"),
    "bucket": ("/buckets?limit=100&orgID={}", "buckets", "name"),
    "authorization": ("/authorizations?orgID={}", "authorizations", "description"),
    "task": ("/tasks?limit=500&orgID={}", "tasks", "description"),
    "dbrp": ("/dbrps?orgID={}", "content", "database"),
    "remote": ("/remotes?orgID={}", "remotes", "name"),
    "replication": ("/replications?orgID={}", "replications", "name"),
}
_numbers = itertools.count(1)


class Cut(httpx.BaseTransport):
    """Passes some calls on, then dies: of the call after them the server gets all (`asked`) or nothing."""

    def __init__(self, calls: int, *, asked: bool) -> None:
        self._inner = httpx.HTTPTransport()
        self._left, self._asked = calls, asked
        self.seen: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(f"{request.method} {request.url.path}")
        self._left -= 1
        if self._left >= 0:
            return self._inner.handle_request(request)
        if self._left == -1 and self._asked:
            self._inner.handle_request(request).read()
        raise httpx.ReadError("cut", request=request)

    def close(self) -> None:
        self._inner.close()


@dataclass
class Made:
    """A thing that was made, and what it was made of."""

    kind: InfluxKind
    id: str
    outputs: Props
    inputs: Props

    def read(self) -> ResourceState | None:
        return self.kind.read(self.id, self.outputs)

    def there(self) -> ResourceState:
        found = self.read()
        assert found is not None, "it is gone"
        return found

    def drift(self) -> frozenset[str]:
        """Return the inputs in which what is there differs from what was asked for."""
        return difference(self.kind, self.there().outputs, self.inputs).changed

    def change(self, **news: object) -> tuple[Props, Difference]:
        """Return checked inputs with some changed, and how they differ."""
        wanted = {**self.inputs, **news}
        checked, failures = self.kind.check(self.inputs, {k: v for k, v in wanted.items() if v is not None})
        assert failures == []
        return checked, difference(self.kind, self.outputs, checked)

    def update(self, **news: object) -> Made:
        checked, found = self.change(**news)
        assert not found.replaces
        return Made(self.kind, self.id, self.kind.update(self.id, self.outputs, checked), checked)

    def delete(self) -> None:
        self.kind.delete(self.id, self.outputs)


@dataclass
class World:
    """An organisation with buckets `raw` and `other` and a remote, on a server that tests share."""

    server: InfluxServer
    client: InfluxClient
    org: str
    made: dict[str, Made] = field(default_factory=dict)

    @property
    def org_id(self) -> str:
        return str(self.made["organisation"].id)

    def kind(self, name: str, client: InfluxClient | None = None, *, accept_new: bool = False) -> InfluxKind:
        return KINDS[name](client or self.client, accept_new)

    def inputs(self, name: str) -> dict[str, object]:
        """Return inputs of a kind, all that must be given and some more."""
        own: dict[str, dict[str, object]] = {
            "organisation": {"name": f"{self.org}-more", "description": "another one"},
            "bucket": {"name": "thing", "retention_s": 30 * 86_400, "description": "for a month"},
            "authorization": {"name": "thing", "permissions": [{"action": "read", "bucket": "raw"}]},
            "task": {"name": "thing", "flux": FLUX},
            "dbrp": {"database": "thing", "policy": "1h", "bucket": "raw", "default": True},
            "remote": {"name": "thing", "url": "http://127.0.0.1:1", "token": PLANTED, "remote_org_id": "ab" * 8},
            "replication": {
                "name": "thing", "remote": "upper", "bucket": "raw", "remote_bucket": "n", "max_age_s": 86_400,
                "max_queue_bytes": 33_554_430,
            },
        }  # fmt: skip
        return own[name] if name == "organisation" else {"org": self.org, **own[name]}

    def checked(self, what: str, /, **more: object) -> Props:
        given = {key: value for key, value in {**self.inputs(what), **more}.items() if value is not None}
        inputs, failures = self.kind(what).check({}, given)
        assert failures == []
        return inputs

    def make(self, what: str, client: InfluxClient | None = None, /, **more: object) -> Made:
        kind, inputs = self.kind(what, client), self.checked(what, **more)
        ident, outputs = kind.create(inputs)
        return Made(kind, ident, outputs, inputs)

    def count(self, name: str) -> int:
        """Return how many things of the test's name the server has."""
        path, key, field_ = _LISTS[name]
        listed: list[dict[str, object]] = []
        while found := self.server.call("GET", "/api/v2" + path.format(self.org_id, offset=len(listed))).get(key):
            listed += found
            if "{offset}" not in path:
                break
        word = f"{self.org}-more" if name == "organisation" else "thing"
        return sum(word in str(one.get(field_, "")) and not one.get("virtual") for one in listed)

    def cut(self, calls: int, *, asked: bool) -> tuple[InfluxClient, Cut]:
        transport = Cut(calls, asked=asked)
        return InfluxClient(self.server.url, self.server.token, transport=transport, pauses_s=()), transport


@pytest.fixture(scope="module")
def server(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A server that is set up; a test that kills it starts it again."""
    one = InfluxServer(influxd_program, tmp_path_factory.mktemp("influxd")).start()
    yield one
    one.end()


@pytest.fixture
def client(server: InfluxServer) -> Iterator[InfluxClient]:
    one = InfluxClient(server.url, server.token)
    yield one
    one.close()


@pytest.fixture
def world(server: InfluxServer, client: InfluxClient) -> World:
    found = World(server, client, f"org{next(_numbers)}")
    found.made["organisation"] = found.make("organisation", name=found.org)
    for name in ("raw", "other"):
        found.made[name] = found.make("bucket", name=name)
    found.made["remote"] = found.make("remote", name="upper")
    return found
