"""Readers that ask for too much, or read too slowly, are refused with the reason; nobody else waits for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.responses import PlainTextResponse

from api.heavy_queries import HEAVY_ROWS, MAX_WAITING, HeavyQueryGate, ServerBusy
from api.large_answers import PIECE_BYTES, LargeAnswerMiddleware
from telemetry.queries.buckets import QueryCost
from tests.program.network import Network, busy, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

HEAVY, LIGHT = QueryCost(HEAVY_ROWS + 1, 1), QueryCost(HEAVY_ROWS, 1)
SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/api/v1/x", "headers": [], "query_string": b""}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    built = busy(network(tmp_path))
    yield built
    built.store.close()


# --- one costly question at a time ----------------------------------------------------------------


def test_a_second_costly_question_waits_and_a_light_one_passes() -> None:
    gate, admitted, order = HeavyQueryGate(), threading.Event(), []

    def ask() -> None:
        with gate.admit(HEAVY):
            admitted.set()
            order.append("second")

    with gate.admit(HEAVY):
        second = threading.Thread(target=ask)
        second.start()
        with gate.admit(LIGHT):
            assert not admitted.is_set()
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]


def test_too_many_costly_questions_are_refused_at_once_and_all_others_answered() -> None:
    gate, outcomes = HeavyQueryGate(max_wait_s=60), []
    is_first_refused = threading.Event()

    def ask() -> None:
        try:
            with gate.admit(HEAVY):
                outcomes.append("answered")
        except ServerBusy:
            outcomes.append("refused")
            is_first_refused.set()

    threads = [threading.Thread(target=ask) for _ in range(MAX_WAITING + 1)]
    with gate.admit(HEAVY):
        for thread in threads:
            thread.start()
        assert is_first_refused.wait(60)
    for thread in threads:
        thread.join(10)
    assert sorted(outcomes) == ["answered"] * MAX_WAITING + ["refused"]


def test_who_waits_too_long_is_refused_and_gives_the_place_back() -> None:
    gate = HeavyQueryGate(max_wait_s=0.01)
    with gate.admit(HEAVY):
        for _ in range(3 * MAX_WAITING):
            with pytest.raises(ServerBusy), gate.admit(HEAVY):
                pass
    with gate.admit(HEAVY):
        pass


def test_a_busy_server_says_when_to_ask_again(net: Network) -> None:
    gate = net.client.app.state.heavy_queries  # type: ignore[attr-defined]
    gate.max_wait_s = 0.01
    ends = "from=2026-10-25T00:00:00Z&to=2026-11-23T00:00:00Z"
    with gate.admit(HEAVY):
        busy_answer = net.client.get(f"/api/v1/availability?scope=centre:vn83-a&bucket=5m&{ends}")
        light = net.client.get("/api/v1/availability?scope=centre:vn83-a")
    assert (busy_answer.status_code, busy_answer.headers["retry-after"]) == (503, "5")
    assert busy_answer.json()["code"] == "server-busy"
    assert light.status_code == 200
    assert net.client.get(f"/api/v1/availability?scope=centre:vn83-a&bucket=5m&{ends}").status_code == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("availability?scope=centre:vn83-a&bucket=total", "at most 3660 days at bucket=total"),
        ("availability?scope=centre:vn83-a&bucket=1d", "at most 3660 days at bucket=1d"),
        ("queues/history?bucket=total", "at most 3660 days at bucket=total"),
        ("queues/history?bucket=1h", "at most 366 days at bucket=1h"),
        ("devices/vn83-a-kiosk1/timeline?sli=service", "at most 31 days"),
    ],
)
def test_a_century_is_refused_with_what_is_allowed(net: Network, path: str, words: str) -> None:
    answer = net.client.get(f"/api/v1/{path}&from=1930-01-01T00:00:00Z&to=2026-01-01T00:00:00Z")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


# --- large answers that nobody reads --------------------------------------------------------------


class SlowClient:
    """Takes pieces of an answer only while `reads` is set."""

    def __init__(self) -> None:
        self.reads = anyio.Event()
        self.messages: list[Message] = []
        self.has_waited = anyio.Event()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.has_waited.set()
            await self.reads.wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages)

    @property
    def status(self) -> int:
        return next(int(m["status"]) for m in self.messages if m["type"] == "http.response.start")


async def _no_request() -> Message:
    return {"type": "http.request"}


def _answering(size: int) -> Any:  # noqa: ANN401 - an ASGI application
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(b"x" * size)(scope, receive, send)

    return app


def test_answers_that_wait_for_their_readers_are_bounded() -> None:
    async def trial() -> None:
        size = 5 * PIECE_BYTES + 1
        middleware = LargeAnswerMiddleware(_answering(size), max_pending_bytes=2 * size)
        clients = [SlowClient() for _ in range(3)]
        async with anyio.create_task_group() as tasks:
            for client in clients[:2]:
                tasks.start_soon(middleware, SCOPE, _no_request, client.send)
                await client.has_waited.wait()
            assert middleware.pending_bytes == 2 * size
            clients[2].reads.set()
            await middleware({**SCOPE, "app": _App()}, _no_request, clients[2].send)
            assert clients[2].status == 503
            assert b"server-busy" in clients[2].body
            for client in clients[:2]:
                client.reads.set()
        assert [len(client.body) for client in clients[:2]] == [size, size]
        assert max(len(m.get("body", b"")) for m in clients[0].messages) == PIECE_BYTES
        assert middleware.pending_bytes == 0

    anyio.run(trial)


def test_a_client_that_stops_reading_loses_its_answer_and_frees_its_memory() -> None:
    async def trial() -> None:
        middleware, client = LargeAnswerMiddleware(_answering(3 * PIECE_BYTES), stall_s=0.01), SlowClient()
        await middleware(SCOPE, _no_request, client.send)
        assert client.body == b""
        assert middleware.pending_bytes == 0

    anyio.run(trial)


def test_small_answers_always_pass() -> None:
    async def trial() -> None:
        middleware, client = LargeAnswerMiddleware(_answering(PIECE_BYTES), max_pending_bytes=0), SlowClient()
        client.reads.set()
        await middleware(SCOPE, _no_request, client.send)
        assert (client.status, len(client.body)) == (200, PIECE_BYTES)

    anyio.run(trial)


class _App:
    """An application without pages."""

    class state:  # noqa: N801 - as Starlette's
        """Nothing."""
