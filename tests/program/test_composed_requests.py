"""Texts of requests and of the command line are compared in Unicode's composed form (NFC), as declarations are."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from api.middleware import NormalisedTextMiddleware
from motcua.cli.app import compose_arguments
from tests.program.network import Network, busy, local, network, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DESK = "hộ-tịch"
DECOMPOSED = unicodedata.normalize("NFD", DESK)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """Return a network in which a kiosk names a service with Vietnamese letters, which nobody declares."""
    found = busy(network(tmp_path))
    found.total(f"desk:vn83-a:{DESK}", "5m", local(7, 20), waits(60, 120))
    found.total(f"desk:vn83-a:{DESK}", "1h", local(7), waits(60, 120))
    yield found
    found.store.close()


@pytest.mark.parametrize("service", [DESK, DECOMPOSED])
def test_a_decomposed_service_is_the_composed_one_in_api_and_page(net: Network, service: str) -> None:
    window = {"from": "2026-11-23T07:00:00+07:00", "to": "2026-11-23T09:00:00+07:00", "service": service}
    (row,) = net.client.get("/api/v1/queues/history", params={**window, "centre": "vn83-a"}).json()["data"]
    assert (row["service"], row["issued"]) == (DESK, 2)
    page = net.client.get("/centres/vn83-a", params={"date": "2026-11-23", "service": service, "lang": "vi"})
    assert DESK in page.text
    assert DECOMPOSED not in page.text


@pytest.mark.parametrize("path", ["/centres/{}", "/centres/{}?lang=vi"])
def test_a_decomposed_name_in_a_path_suggests_the_centre_that_has_it(net: Network, path: str) -> None:
    name = unicodedata.normalize("NFD", "Một cửa An")
    answer = net.client.get(path.format(quote(name)), headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert 'href="/centres/vn83-a"' in answer.text


def test_decomposed_values_give_the_same_refusal(net: Network) -> None:
    texts = [
        net.client.get("/api/v1/queues/history", params={"service": name, name: "1"}).json()
        for name in (DESK, DECOMPOSED)
    ]
    assert texts[0]["detail"] == texts[1]["detail"]


async def _queries_seen(query: bytes) -> bytes:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG001
        seen.append(scope["query_string"])

    await NormalisedTextMiddleware(app)({"type": "http", "path": "/", "query_string": query}, None, None)  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        (b"", b""),
        (b"from=2026-11-23T07:00:00+07:00&a=%2B", b"from=2026-11-23T07:00:00+07:00&a=%2B"),  # as it was sent
        (b"a=%zz&b&c=", b"a=%zz&b&c="),
        (b"a=%ff", b"a=%ff"),
        (DESK.encode(), quote(DESK).encode()),  # a client that encodes nothing
        (f"service={DECOMPOSED}&x=1+2".encode(), f"service={quote(DESK)}&x=1+2".encode()),
        (f"service={quote(DECOMPOSED)}&at=%2B7".encode(), f"service={quote(DESK)}&at=%2B7".encode()),
    ],
)
def test_a_query_is_changed_only_where_it_is_not_composed(query: bytes, seen: bytes) -> None:
    assert asyncio.run(_queries_seen(query)) == seen


def test_arguments_are_composed_and_paths_keep_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DECOMPOSED).mkdir()
    other, composed = (unicodedata.normalize(form, "Phú Khương") for form in ("NFD", "NFC"))
    kept = ["--inventory", DECOMPOSED, f"--out={DECOMPOSED}", f"./{other}", f"sqlite:///{other}.db", "x" * 10_000]
    assert compose_arguments(["show", other, f"--name={other}", *kept]) == [
        "show",
        composed,
        f"--name={composed}",
        *kept,
    ]
