"""The page of alerts with a real Alertmanager: groups, acknowledgements, silences; and what it says without one."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.alertmanager import AlertmanagerClient
from api.alertmanager_access import AlertmanagerAccess
from api.app import create_app
from api.operators import load_operators
from motcua.cli.operator_key import print_operator_key
from telemetry.core.inventory import Objective
from telemetry.errors import ConfigError
from tests.alertmanager import Alertmanager
from tests.program.network import Network, inventory, network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = """
route: {receiver: ops, group_by: [centre], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: ops}]
inhibit_rules:
  - {source_matchers: [cause="link"], target_matchers: [cause="queue"], equal: [centre]}
"""
LINK = {
    "alertname": "MotcuaConnectivity",
    "severity": "page",
    "scope": "centre:vn83-a",
    "centre": "vn83-a",
    "cause": "link",
}
QUEUE = {
    "alertname": "MotcuaWait",
    "severity": "ticket",
    "scope": "centre:vn83-a",
    "centre": "vn83-a",
    "cause": "queue",
}
WATCHDOG = {"alertname": "MotcuaWatchdog", "severity": "none"}


@pytest.fixture(scope="module")
def alertmanager(require: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    server = Alertmanager(
        require("prometheus-alertmanager"), tmp_path_factory.mktemp("alertmanager") / "own", CONFIG
    ).start()
    now = datetime.now(UTC)
    alerts = [
        {
            "labels": labels,
            "annotations": {"summary": f"{labels['alertname']} <b>", "summary_vi": f"{labels['alertname']} tiếng Việt"},
            "startsAt": (now - timedelta(minutes=5)).isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
        }
        for labels in (LINK, QUEUE, WATCHDOG)
    ]
    httpx.post(f"{server.url}/api/v2/alerts", json=alerts, trust_env=False).raise_for_status()
    yield server
    server.end()


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    made = network(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """An operator's key; the file of hashes is `operators` in the test's folder."""
    print_operator_key("lan.nguyen")
    shown = capsys.readouterr()
    (tmp_path / "operators").write_text("# on call\n" + shown.out)
    return shown.err.rpartition(" ")[2].strip()


@pytest.fixture
def browser(net: Network, alertmanager: Alertmanager, key: str, tmp_path: Path) -> Iterator[TestClient]:
    assert key
    with closing(AlertmanagerClient(alertmanager.url)) as client:
        access = AlertmanagerAccess(client, load_operators(tmp_path / "operators"))
        yield TestClient(create_app(net.queries, alertmanager=access), headers={"Accept": "text/html"})


def fingerprint(page: str) -> str:
    match = re.search(r'name="fingerprint" value="([0-9a-f]+)"', page)
    assert match is not None
    return match[1]


def send(browser: TestClient, key: str, **fields: str) -> httpx.Response:
    form = {"name": "lan.nguyen", "key": key, "hours": "4", "note": "đang xử lý", **fields}
    answer: httpx.Response = browser.post("/alerts?lang=vi", data=form, follow_redirects=True)
    return answer


def alerts(browser: TestClient, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = browser.get(f"/api/v1/alerts{query}").json()["data"]
    return rows


def test_alerts_are_shown_as_grouped_acknowledged_and_told_of_again(browser: TestClient, key: str) -> None:
    page = browser.get("/alerts", headers={"Accept-Language": "en"}).text
    assert "1 alert needs somebody." in page
    assert "MotcuaConnectivity &lt;b&gt;" in page
    assert "Caused by another" in page
    assert "MotcuaWatchdog" not in page
    assert 'href="/centres/vn83-a"' in page
    assert [(row["name"], row["state"]) for row in alerts(browser)] == [
        ("MotcuaConnectivity", "active"), ("MotcuaWait", "inhibited"),
    ]  # fmt: skip
    done = send(browser, key, action="acknowledge", fingerprint=fingerprint(page))
    assert done.status_code == 200
    assert "Đã nhận xử lý cảnh báo." in done.text
    (row,) = alerts(browser, "?state=acknowledged")
    assert (row["silence"]["created_by"], row["silence"]["note"], row["receivers"]) == (
        "lan.nguyen", "đang xử lý", ["ops"],
    )  # fmt: skip
    match = re.search(r'name="silence" value="([0-9a-f-]+)"', done.text)
    assert match is not None
    assert "Đã bỏ tạm tắt." in send(browser, key, action="end", silence=match[1]).text
    assert [row["name"] for row in alerts(browser, "?state=active&severity=page&centre=vn83-a")] == [
        "MotcuaConnectivity"
    ]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"key": "wrong"}, 403, "Tên hoặc mã khóa không đúng"),
        ({"name": "nobody"}, 403, "Tên hoặc mã khóa không đúng"),
        ({"note": " "}, 422, "Ghi chú phải có"),
        ({"note": "x" * 201}, 422, "Ghi chú phải có"),
        ({"hours": "9999"}, 422, "Biểu mẫu không hợp lệ"),
        ({"action": "delete"}, 422, "Biểu mẫu không hợp lệ"),
        ({"fingerprint": "0123"}, 422, "Cảnh báo này đã kết thúc"),
        ({"action": "end", "silence": "none"}, 502, "Alertmanager không trả lời"),
    ],
)
def test_a_form_that_cannot_be_done_says_why_and_changes_nothing(
    browser: TestClient, key: str, fields: dict[str, str], status: int, words: str
) -> None:
    form = {"action": "acknowledge", "fingerprint": fingerprint(browser.get("/alerts").text)}
    own = {**form, **fields}
    answer = send(browser, own.pop("key", key), **own)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert 'role="alert"' in answer.text
    assert key not in answer.text
    assert {row["state"] for row in alerts(browser)} == {"active", "inhibited"}


def test_what_was_entered_stands_in_the_form_again(browser: TestClient, key: str) -> None:
    mark = fingerprint(browser.get("/alerts").text)
    page = send(browser, "wrong", action="silence", fingerprint=mark, note="đổi thiết bị", hours="24").text
    assert f'{mark}" open>' in page
    assert 'value="đổi thiết bị"' in page
    assert 'value="24" selected' in page
    assert 'value="lan.nguyen"' in page
    assert key not in page


def test_a_form_that_is_too_long_is_not_read(browser: TestClient, key: str) -> None:
    assert send(browser, key, action="acknowledge", note="x" * 100_000).status_code == 403


def test_the_tables_are_files_too(browser: TestClient) -> None:
    lines = browser.get("/alerts?table=alerts&format=csv").text.splitlines()
    assert lines[0] == "alert,state,severity,place,since,by,until,note"
    assert len(lines) == 3


def test_without_an_answer_the_page_says_that_alerts_are_unknown(net: Network) -> None:
    with closing(AlertmanagerClient("http://user:secret@127.0.0.1:9", timeout_s=0.2)) as client:
        browser = TestClient(create_app(net.queries, alertmanager=AlertmanagerAccess(client)))
        page = browser.get("/alerts?lang=en").text
        assert "whether there are alerts is not known" in page
        assert "mood-unknown" in page
        answer = browser.get("/api/v1/alerts")
        assert (answer.status_code, answer.json()["code"]) == (503, "alertmanager-unavailable")
        assert "secret" not in page + answer.text


def test_no_alert_is_no_good_news_while_objectives_have_no_data(tmp_path: Path) -> None:
    """Nothing was evaluated yet, so nothing could have alerted; the third objective never alerts."""
    opened = Objective("open", "Mở cửa", "Open", "centre", "availability", 0.995, 28)
    quiet = replace(opened, id="quiet", alert=False)
    net = network(tmp_path, replace(inventory(), objectives=(opened, quiet)))
    page = TestClient(create_app(net.queries)).get("/alerts?lang=en").text
    net.store.close()
    assert "There is no alert." in page
    assert "mood-unknown" in page
    assert "2 objectives have no data yet: they cannot alert." in page, "at each of the two centres"


def test_without_an_alertmanager_the_page_lists_what_fires(net: Network) -> None:
    browser = TestClient(create_app(net.queries))
    page = browser.get("/alerts?lang=en").text
    assert "No Alertmanager is configured" in page
    assert 'href="/api/v1/slos"' in page  # /api/v1/alerts would answer 404
    assert browser.get("/api/v1/alerts").json()["code"] == "unknown-alertmanager"
    assert browser.post("/alerts", data={"action": "end"}).status_code == 403


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("lan", "not a name with the hash of a key"),
        (f"Lan {'0' * 64}", "not a name"),
        (f"a {'0' * 63}", "hash of a key"),
    ],
)
def test_a_faulty_line_of_operators_is_named(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "operators"
    file.write_text(f"# on call\nok {'a' * 64}\n{line}\nok {'b' * 64}\n")
    with pytest.raises(ConfigError) as error:
        load_operators(file)
    assert f"{file}:3" in str(error.value)
    assert problem in str(error.value)
    assert f"{file}:4: ok: this name stands twice" in str(error.value)


def test_a_missing_file_of_operators_and_an_odd_name_are_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MOTCUA_OPERATORS"):
        load_operators(tmp_path / "none")
    with pytest.raises(ConfigError, match="not a name"):
        print_operator_key("Nguyễn Lan")
