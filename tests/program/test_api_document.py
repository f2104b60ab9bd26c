"""The API describes itself: every property, parameter and error; unknown parameters, HEAD, methods and /docs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from api import api_reference, docs_page, indicator_reference
from api.openapi import PROBLEMS
from telemetry.core.kpi.catalogue import INDICATORS
from tests.program.network import Network, busy, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = re.compile(r"<!-- answer of (\S+) -->\n```json\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [found.groups() for found in EXAMPLE.finditer(api_reference.PAGE.read_text(encoding="utf-8"))]
SECURITY = {"content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    found = busy(network(tmp_path_factory.mktemp("api")))
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def document(net: Network) -> dict[str, Any]:
    found: dict[str, Any] = net.client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def test_every_property_has_a_meaning_and_every_number_a_range(document: dict[str, Any]) -> None:
    lacking = []
    for model, schema in document["components"]["schemas"].items():
        for name, value in schema.get("properties", {}).items():
            text = value.get("description", "")
            numbers = [p for p in [value, *value.get("anyOf", [])] if p.get("type") in {"integer", "number"}]
            unbounded = any(not {"minimum", "maximum"} & set(p) for p in numbers) and "may be negative" not in text
            if not text or unbounded:
                lacking.append(f"{model}.{name}")
    assert lacking == [], "describe them with Field(description=…, ge=…) or in api/schemas/property_texts.py"


def test_every_operation_has_a_summary_its_parameters_a_meaning_and_its_errors_are_problems(
    document: dict[str, Any],
) -> None:
    for path, operation in operations(document):
        assert operation["summary"].endswith("."), path
        assert all(p["description"] for p in operation.get("parameters", ())), path
        assert set(PROBLEMS) <= set(operation["responses"]), path
        for status in PROBLEMS:
            assert set(operation["responses"][status]["content"]) == {"application/problem+json"}, path
        assert operation["responses"]["200"]["content"], path


def test_the_index_lists_every_operation(net: Network, document: dict[str, Any]) -> None:
    found = net.client.get("/api/v1").json()
    assert [row["path"] for row in found["data"]] == list(document["paths"])
    history = next(row for row in found["data"] if row["path"] == "/api/v1/queues/history")
    assert {"centre", "from", "bucket", "within"} <= set(history["parameters"])


@pytest.mark.parametrize(
    ("path", "name", "words"),
    [
        ("/api/v1/queues/history?buckets=1h", "buckets", "did you mean bucket?"),
        ("/api/v1/status?centre=vn83-a", "centre", "none"),
        ("/api/v1/centres?limit=1&limit=2", "limit", "given 2 times"),
        ("/badges/centre/vn83-a.svg?langs=en", "langs", "did you mean lang?"),
        ("/metrics/centre?centre=vn83-a&x=1", "x", "centre"),
    ],
)
def test_an_unknown_or_repeated_parameter_is_refused_with_a_suggestion(
    net: Network, path: str, name: str, words: str
) -> None:
    answer = net.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == f"#/query/{name}"
    assert words in fault["detail"]


def test_head_is_get_without_a_body(net: Network, document: dict[str, Any]) -> None:
    values = {"centre": "vn83-a", "device": "vn83-a-kiosk1", "system": "vn83-portal", "slo": "x", "kpi": "DG-01"}
    values["unit"] = "83"
    values["dataset"] = "queues"
    values["month"] = "2026-10"
    pages = [
        "/",
        "/centres",
        "/centres/vn83-a",
        "/districts/83",
        "/search?q=an",
        "/badges",
        "/datasets",
        "/docs",
        "/openapi.json",
        "/centres/nowhere",
        "/static/app.css",
    ]
    paths = [path.format(**values) for path in document["paths"] if path != "/api/v1/events"]
    for path in [*paths, *pages]:
        get, head = net.client.get(path), net.client.head(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers.get("content-type") == get.headers.get("content-type"), path


def test_head_of_a_stream_ends(net: Network) -> None:
    answer = net.client.head("/api/v1/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("path", ["/api/v1/status", "/docs", "/static/app.css", "/healthz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_method_is_a_problem_with_allow(net: Network, path: str, method: str) -> None:
    answer = net.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_fault_of_the_server_carries_the_security_headers(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(net.queries), "network_status", fail)
    answer = net.client.get("/api/v1/status")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert set(answer.headers) >= SECURITY


def test_the_documentation_needs_no_other_host(net: Network) -> None:
    page = net.client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "//" not in page.text.replace("<!doctype", "")
    for name, media_type in docs_page._ASSETS.items():
        answer = net.client.get(f"/docs/assets/{name}")
        assert answer.headers["content-type"].startswith(media_type)
        assert len(answer.content) > 1_000
    assert "openapi.json" in net.client.get("/docs/start.js").text
    assert net.client.get("/docs/assets/core.py").status_code == 404


def test_the_page_of_the_api_lists_its_operations(
    net: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert api_reference.main(["--check"]) == 0, "run: python -m api.api_reference --write"
    page = tmp_path / "http-api.md"
    text = api_reference.PAGE.read_text(encoding="utf-8")
    page.write_text(text.replace("| `/api/v1/status` |", "| `/api/v1/state` |"), encoding="utf-8")
    assert api_reference.main(["--check"], page) == 1
    assert "http-api.md does not match the API: run python -m api.api_reference --write" in capsys.readouterr().err
    assert api_reference.main(["--write"], page) == 0
    assert page.read_text(encoding="utf-8") == text
    listed = re.findall(r"^\| `(/[^`]*)`", text, re.MULTILINE)
    assert listed == [row["path"] for row in net.client.get("/api/v1").json()["data"]]


def test_a_page_without_a_place_for_the_operations_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="write these two lines into the page"):
        api_reference.update_page("# The HTTP API\n")


def part_of(example: Any, answer: Any) -> Any:  # noqa: ANN401
    """The part of an answer that an example shows: objects without the properties that the example leaves out."""
    if isinstance(example, dict) and isinstance(answer, dict):
        return {name: part_of(value, answer[name]) for name, value in example.items() if name in answer}
    if isinstance(example, list) and isinstance(answer, list) and len(example) == len(answer):
        return [part_of(*pair) for pair in zip(example, answer, strict=True)]
    return answer


@pytest.mark.parametrize(("path", "text"), EXAMPLES)
def test_every_answer_on_the_page_of_the_api_is_a_real_one(tmp_path: Path, path: str, text: str) -> None:
    fresh = busy(network(tmp_path))
    example = json.loads(text)
    assert part_of(example, fresh.client.get(path).json()) == example
    fresh.store.close()


def test_every_json_example_on_the_page_of_the_api_says_of_which_request_it_is() -> None:
    assert len(EXAMPLES) == api_reference.PAGE.read_text(encoding="utf-8").count("```json\n") >= 3


def test_the_page_of_indicators_has_every_row_of_the_catalogue() -> None:
    text = indicator_reference.PAGE.read_text("utf-8")
    assert indicator_reference.page_with_table(text) == text, "run python -m api.indicator_reference --write"
    assert all(f"| {ident} |" in text for ident in INDICATORS)
