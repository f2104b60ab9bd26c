"""While a process prepares its data: people see the progress, machines get 503 and are asked to come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.loading import LoadingState
from telemetry.queries.service import Queries
from tests.program.network import NOW, Network, busy, inventory, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROWSER = {"Accept": "text/html,*/*"}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = busy(network(tmp_path))
    yield found
    found.store.close()


@pytest.fixture
def loading() -> LoadingState:
    return LoadingState()


@pytest.fixture
def client(net: Network, loading: LoadingState) -> TestClient:
    declared = inventory()
    return TestClient(create_app(Queries(net.store, lambda: declared, lambda: NOW), loading=loading))


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [("en", "Simulating the past days: 7 of 1,200 centre days."), ("vi", "Đang mô phỏng các ngày trước: 7/1.200")],
)
def test_people_see_what_is_done_and_the_page_loads_itself_again(
    client: TestClient, loading: LoadingState, lang: str, sentence: str
) -> None:
    loading.report("simulating", 7, 1200)
    for path in ("/", "/centres/vn83-a"):
        answer = client.get(path, headers=BROWSER | {"Accept-Language": lang})
        assert (answer.status_code, sentence in answer.text) == (503, True)
        assert 'value="7" max="1200"' in answer.text
        assert (answer.headers["refresh"], answer.headers["retry-after"]) == ("1", "1")
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_a_step_without_parts_shows_no_share(client: TestClient, loading: LoadingState) -> None:
    loading.report("folding")
    text = client.get("/", headers=BROWSER | {"Accept-Language": "en"}).text
    assert "Computing the figures." in text
    assert "max=" not in text


@pytest.mark.parametrize("path", ["/api/v1/status", "/readyz", "/metrics", "/nowhere", "/api/v1/events"])
def test_machines_get_a_problem_and_when_to_try_again(client: TestClient, loading: LoadingState, path: str) -> None:
    loading.report("delivering", 3, 9)
    answer = client.get(path, headers=BROWSER if path.startswith("/api/") else {})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"] == "1"
    assert (answer.json()["code"], answer.json()["reasons"]) == ("loading", ["delivering"])
    assert "3 of 9" in answer.json()["detail"]


def test_life_build_and_static_files_are_answered_meanwhile(client: TestClient) -> None:
    assert {path: client.get(path).status_code for path in ("/healthz", "/version", "/static/page.css")} == {
        "/healthz": 200, "/version": 200, "/static/page.css": 200,
    }  # fmt: skip


def test_what_is_finished_stays_finished(client: TestClient, loading: LoadingState) -> None:
    loading.finish()
    loading.report("folding")
    assert client.get("/", headers=BROWSER).status_code == 200
    assert client.get("/api/v1/status").status_code == 200
