"""Expected waits and the cards of the models, through the API and on the pages in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from telemetry.core.calendar.windows import DAY
from telemetry.core.fold.live_row_types import ExpectedWait, ServiceNow
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.wait_model_file import (
    BacktestReport,
    BacktestScore,
    WaitModelFile,
    encode_model,
    model_hash,
    profile_file,
)
from telemetry.store import WAIT_MODELS_CHECKPOINT, wait_backtest_name, wait_model_name
from tests.program.network import MIDNIGHT, NOW, Network, busy, centre_now, local, network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.totals import Total

SCORES = (
    BacktestScore("drain", 120, 300.0, -20.0, 80.0, 0.91),
    BacktestScore("head_of_line", 120, 420.0, 35.0),
)
MODEL = encode_model(
    WaitModelFile(
        centre="vn83-a", fitted_at=local(2), trained_from=local(8, day=1), trained_until=MIDNIGHT, rows=640,
        profile=profile_file(QueueProfile((60.0,))), backtest=SCORES,
    )
)  # fmt: skip


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    made = busy(network(tmp_path))
    row = centre_now("vn83-a", made.time[0])
    expected = {
        "land": ExpectedWait(p50_ms=20 * 60_000, p90_ms=34 * 60_000 + 1, method="drain", model=model_hash(MODEL)[:12]),
        "tax": ExpectedWait(reason="too_few_calls"),
    }
    now = {"tax": ServiceNow(service="tax", waiting=0, serving=0), **{s.service: s for s in row.services}}
    services = tuple(msgspec.structs.replace(now[name], expected=expected[name]) for name in sorted(expected))
    made.live("vn83-a", msgspec.structs.replace(row, services=services))
    made.time[0] += 2_000
    yield made
    made.store.close()


def store_model(net: Network) -> None:
    report = BacktestReport(local(2), "champion", SCORES)
    net.store.put_document(wait_model_name("vn83-a"), MODEL)
    net.store.put_document(wait_backtest_name("vn83-a"), msgspec.json.encode(report))
    net.store.set_checkpoint(WAIT_MODELS_CHECKPOINT, NOW)
    promised = {"promises": 50, "promises_within": 46, "promise_error_sum_ms": 50 * 120_000}
    net.total("desk:vn83-a:land", "1d", MIDNIGHT, {"called": 50, **promised})


def test_queues_now_give_the_expected_wait_or_the_reason(net: Network) -> None:
    rows = {row["service"]: row for row in net.client.get("/api/v1/queues/now?centre=vn83-a").json()["data"]}
    assert rows["land"]["expected_wait"] == {
        "p50_s": 1200.0, "p90_s": 2040.001, "method": "drain", "model": model_hash(MODEL)[:12],
    }  # fmt: skip
    assert rows["land"]["expected_wait_reason"] is None
    assert (rows["tax"]["expected_wait"], rows["tax"]["expected_wait_reason"]) == (None, "too_few_calls")
    other = net.client.get("/api/v1/queues/now?centre=vn83-b").json()["data"]
    assert {row["expected_wait_reason"] for row in other} == {"not_computed"}


def test_the_history_has_the_promise_kept(net: Network) -> None:
    store_model(net)
    answer = net.client.get("/api/v1/queues/history?centre=vn83-a&service=land&from=2026-11-23&to=2026-11-24&bucket=1d")
    (row,) = answer.json()["data"]
    assert row["promise"] == {"count": 50, "within": 46, "ratio": 0.92, "mean_error_s": 120.0}


def test_models_are_shown_with_hash_training_and_back_test(net: Network) -> None:
    assert net.client.get("/api/v1/models").json()["data"] == []
    store_model(net)
    (card,) = net.client.get("/api/v1/models").json()["data"]
    assert (card["centre"], card["sha256"], card["model"]) == ("vn83-a", model_hash(MODEL), model_hash(MODEL)[:12])
    assert (card["method"], card["rows"], card["size_bytes"]) == ("drain", 640, len(MODEL))
    assert card["trained_until"] == "2026-11-23T00:00:00+07:00"
    assert card["newest_backtest_winner"] == "champion"
    assert card["backtest"][1] == {
        "method": "head_of_line", "count": 120, "mae_s": 420.0, "bias_s": 35.0, "pinball_s": None, "share_within": None,
    }  # fmt: skip
    promise = {"count": 50, "within": 46, "ratio": 0.92, "mean_error_s": 120.0}
    assert card["days"] == [{"day": "2026-11-23", "promise": promise}]


def test_an_unreadable_model_is_no_model(net: Network) -> None:
    store_model(net)
    net.store.put_document(wait_model_name("vn83-a"), b"\x80\x04")
    (card,) = net.client.get("/api/v1/models").json()["data"]
    assert (card["method"], card["model"], card["rows"]) == ("head_of_line", None, 0)


@pytest.mark.parametrize(
    ("lang", "texts"),
    [
        ("vi", ("khoảng 20–35 phút", "Tỷ lệ đúng hẹn theo ngày", "mô phỏng hàng đợi", "giữ mô hình hiện tại")),
        ("en", ("about 20–35 min", "Promise kept by day", "simulation of the line", "the present model stays")),
    ],
)
def test_pages_show_waits_and_models_in_both_languages(net: Network, lang: str, texts: tuple[str, ...]) -> None:
    store_model(net)
    hall = net.client.get(f"/centres/vn83-a?lang={lang}").text
    models = net.client.get(f"/models?lang={lang}").text
    assert texts[0] in hall
    assert 'href="/models"' in hall
    assert all(text in models for text in texts[1:])
    assert model_hash(MODEL) in models
    assert "92" in models


def test_the_page_names_the_centres_without_a_model_and_what_they_need(net: Network) -> None:
    for day in (1, 2):
        net.total("desk:vn83-a:land", "1d", MIDNIGHT - day * DAY, {"called": 15})
    page = net.client.get("/models?lang=en").text
    assert "No model yet: too little data. The fallback is in use" in page
    row = page[page.index('href="/centres/vn83-a"') :]
    assert "30 / 100" in row
    assert ">5<" in row[: row.index("</tr>")]  # 70 more at 15 a day
    assert "no ticket yet" in page[page.index('href="/centres/vn83-b"') :]
    store_model(net)
    net.store.put_document(wait_model_name("vn83-a"), MODEL)
    with_model = net.client.get("/models?lang=en").text
    assert "30 / 100" not in with_model
    assert 'href="/models"' in net.client.get("/?lang=en").text


def test_the_expected_wait_is_on_the_centres_own_metrics_page(net: Network) -> None:
    lines = [
        line for line in net.client.get("/metrics/centre?centre=vn83-a").text.splitlines()
        if line.startswith("motcua_service_expected_wait_seconds{")
    ]  # fmt: skip
    assert lines == [
        'motcua_service_expected_wait_seconds{centre="vn83-a",quantile="0.5",service="land"} 1200.0',
        'motcua_service_expected_wait_seconds{centre="vn83-a",quantile="0.9",service="land"} 2040.001',
    ]


def test_past_tickets_are_read_again_only_after_they_were_written_again(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Window] = []
    totals = net.store.totals

    def counted(entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> Sequence[Total]:
        read.extend([window] if kind == "desk" else [])
        return totals(entities, width, window, kind)

    def live(reopened: int) -> None:
        for ident in ("vn83-a", "vn83-b"):
            net.live(ident, centre_now(ident, net.time[0], reopened=reopened))

    monkeypatch.setattr(net.store, "totals", counted)
    live(NOW)
    net.client.get("/models")
    assert any(window.start < MIDNIGHT for window in read)
    read.clear()
    net.client.get("/models")
    assert read
    assert all(window.start >= MIDNIGHT for window in read), "only today"
    net.total("desk:vn83-a:land", "1d", MIDNIGHT - DAY, {"called": 30})
    live(NOW + 1)
    assert "30 / 100" in net.client.get("/models?lang=en").text
