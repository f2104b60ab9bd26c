"""Says that one call without an answer speaks for all resources of a run, and for how long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from infra.providers.influx.client import MAX_ASKED_WAIT_S, InfluxClient
from infra.providers.influx.reachability import RETRY_AFTER_S, Reachability, shared_reachability
from infra.providers.resource_kind import ProviderError


@dataclass
class Server:
    """Answers, or keeps silent, and counts what it is asked."""

    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.silent:
            raise httpx.ReadTimeout("silent", request=request)
        return httpx.Response(200, json={"id": "one"})

    def client(self, reachability: Reachability | None) -> InfluxClient:
        transport = httpx.MockTransport(self.handle)
        return InfluxClient("http://influx", "t", transport=transport, reachability=reachability, sleep=lambda _: None)


def test_a_silent_server_is_asked_once_for_all_resources() -> None:
    server, known = Server(silent=True), Reachability()
    clients = [server.client(known) for _ in range(12)]

    def refused(client: InfluxClient) -> str:
        with pytest.raises(ProviderError) as told:
            client.get("/me")
        return str(told.value)

    with ThreadPoolExecutor(4) as pool:
        texts = set(pool.map(refused, clients))
    assert server.asked == ["/ping"]
    (text,) = texts
    assert text.startswith("InfluxDB at http://influx does not answer GET /me (ReadTimeout); is it running")


def test_a_server_that_falls_silent_later_is_not_asked_again_in_this_run() -> None:
    server, known = Server(), Reachability()
    server.client(known).get("/me")
    server.silent = True
    for _ in range(3):
        with pytest.raises(ProviderError):
            server.client(known).get("/me")
    assert server.asked == ["/ping", "/api/v2/me", "/api/v2/me"]


def test_a_server_that_was_silent_is_asked_again_later() -> None:
    now = [0.0]
    server, known = Server(silent=True), Reachability(lambda: now[0])
    for moment in (0.0, RETRY_AFTER_S):
        now[0] = moment
        with pytest.raises(ProviderError):
            server.client(known).get("/me")
    assert server.asked == ["/ping"]
    server.silent, now[0] = False, RETRY_AFTER_S + 1
    assert server.client(known).get("/me") == {"id": "one"}


def test_a_refused_connection_is_tried_again_before_the_server_counts_as_silent() -> None:
    failures = [httpx.ConnectError("refused")] * 3

    def handle(_: httpx.Request) -> httpx.Response:
        if failures:
            raise failures.pop()
        return httpx.Response(200, json={"id": "one"})

    client = InfluxClient(
        "http://influx", "t", transport=httpx.MockTransport(handle), reachability=Reachability(), sleep=lambda _: None
    )
    assert client.get("/me") == {"id": "one"}


def test_every_address_has_its_own_view() -> None:
    assert shared_reachability("http://one") is shared_reachability("http://one")
    assert shared_reachability("http://one") is not shared_reachability("http://two")


@pytest.mark.parametrize(("header", "first_pause_s"), [("7", 7), ("100000", MAX_ASKED_WAIT_S), ("0", 0.2), ("x", 0.2)])
def test_a_server_gets_the_wait_that_it_asks_for(header: str, first_pause_s: float) -> None:
    answers = [httpx.Response(503, headers={"Retry-After": header}), httpx.Response(200, json={"id": "one"})]
    pauses: list[float] = []
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    client = InfluxClient("http://influx", "t", transport=transport, sleep=pauses.append)
    assert client.get("/me") == {"id": "one"}
    assert pauses == [first_pause_s]
    client.close()
