"""The example imports of the docs and the shipped logs: every figure equals a recount of the file, at every import.

First the beginning of the file, then the whole (a longer copy), then the whole again.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from motcua import replay, roles, startup
from telemetry import inventory, wiring
from telemetry.config import load_settings
from telemetry.core.calendar.windows import Window
from telemetry.core.fold.histogram_buckets import RELATIVE_ERROR
from telemetry.core.protocol.events import event_type_of
from telemetry.queries.service import Queries
from tests.api_client import client_over
from tests.oracles import imports as recount

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from tests.oracles.imports import CountedTicket

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
WITHIN_S = 900


@dataclass(slots=True)
class ImportTrial:
    """One store and what `motcua replay` of a mapping does to it."""

    folder: Path
    mapping: str
    reports: list[dict[str, object]] = field(default_factory=list)

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'store.db'}"

    def bring_in(self, file: Path) -> dict[str, Any]:
        job = replay.parse_job(file, self.mapping, "", (self.store, None), "max")
        console = Console(quiet=True)
        log = replay.check_file(job, console)
        centre = replay.own_centre(job, log)
        assert centre is not None
        world = inventory.load(inventory.default_path(), imports=[centre])
        result = replay.run_replay(job, lambda: world, console, log)
        return result.as_json(self.store, "127.0.0.1:8080")

    def outboxes_have_gaps(self) -> list[str]:
        """A gap would show as rows that are still on their way (completeness below 1)."""
        store = wiring.open_store(self.store)
        ranges = [(r.outbox_id, r.stored) for r in store.row_ranges() if r.device.startswith("replay-")]
        store.close()
        assert len(ranges) == 2
        return [outbox for outbox, stored in ranges if len(stored) != 1 or stored[0][0] != 1]

    def fold_again(self) -> None:
        """As `motcua rollup --rebuild`, which has no mapping but the shipped ones."""
        settings = load_settings({"MOTCUA_STORE": self.store})
        world = startup.load_inventory(settings, startup.stored_logs(settings))
        assert roles.rebuild_totals(settings, world, None) == 1

    def figures(self, tickets: list[CountedTicket], bucket: str, zone: ZoneInfo) -> dict[Any, tuple[int, ...]]:
        """Return what the API, which knows no mapping, says of the days of these tickets."""
        centre = f"replay-{Path(self.mapping).stem}"
        times = [t for x in tickets for t in (x.entered, x.called, x.ended) if t]
        first, last = min(times), max(times)
        store, world = wiring.open_store(self.store), inventory.load(inventory.default_path())
        queries = Queries(store, lambda: world, lambda: int(datetime.now(UTC).timestamp() * 1000))
        with client_over(queries) as client:
            params = {
                "centre": centre, "bucket": bucket, "within": str(WITHIN_S), "limit": "500",
                "from": f"{first:%Y-%m-%d}", "to": datetime.fromordinal(last.toordinal() + 1).strftime("%Y-%m-%d"),
            }  # fmt: skip
            rows, cursor = [], None
            while True:
                page = {**params, "cursor": cursor} if cursor else params
                answer = client.get("/api/v1/queues/history", params=page)
                assert answer.status_code == 200, answer.text
                rows += answer.json()["data"]
                cursor = answer.json()["next"]
                if cursor is None:
                    break
        store.close()
        return {
            (row["service"], datetime.fromisoformat(row["from"]).astimezone(zone)): figures
            for row in rows
            if any(figures := as_figures(row))
        }


def as_figures(row: dict[str, Any]) -> tuple[int, ...]:
    counts = row["issued"], row["served"], row["abandoned"], row["no_show"]
    return *counts, row["wait"]["count"], round(row["wait"]["sum_s"] * 1000), row["within"]["count"]


def assert_same(trial: ImportTrial, tickets: list[CountedTicket], zone: ZoneInfo) -> None:
    for bucket, start in (("1h", recount.start_of_hour), ("1d", recount.start_of_day)):
        assert trial.figures(tickets, bucket, zone) == recount.count_by(tickets, start, WITHIN_S)


def assert_same_dossiers(report: dict[str, Any], counted: recount.CountedDossiers) -> None:
    assert (counted.on_time, counted.resolved) == (481, 712)  # 5 of 717 are open: neither in time nor late
    assert report["received_by_channel"] == counted.by_channel
    assert report["online_ratio"] == counted.online / sum(counted.by_channel.values())
    assert (report["on_time"], report["late"]) == (counted.on_time, counted.resolved - counted.on_time)
    assert report["on_time_ratio"] == counted.on_time / counted.resolved
    assert report["median_days"] == pytest.approx(counted.median_days, rel=RELATIVE_ERROR)
    assert (report["resolved"], report["open"]) == (712, 5)


def first_lines(file: Path, count: int, folder: Path) -> Path:
    beginning = folder / f"beginning{file.suffix}"
    beginning.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:count]))
    return beginning


def first_rows(file: Path, count: int, folder: Path) -> Path:
    openpyxl = pytest.importorskip("openpyxl") if os.environ.get("CI") != "true" else __import__("openpyxl")
    book = openpyxl.load_workbook(file)
    book["Tickets"].delete_rows(count + 1, 10_000)
    book.save(folder / "beginning.xlsx")
    return folder / "beginning.xlsx"


@pytest.mark.parametrize(
    ("name", "read", "cut"),
    [
        ("so-cap-phieu.csv", recount.read_ticket_book, first_lines),
        ("queue-export.xlsx", recount.read_workbook, first_rows),
        ("tickets.jsonl", recount.read_json_lines, first_lines),
    ],
    ids=["csv", "excel", "json"],
)
def test_an_example_import_has_the_figures_of_its_file(
    tmp_path: Path, name: str, read: Callable[[Path], list[CountedTicket]], cut: Callable[[Path, int, Path], Path]
) -> None:
    file = EXAMPLES / name
    trial = ImportTrial(tmp_path, str(file.with_suffix(".toml")))
    beginning = cut(file, 100, tmp_path)
    first = trial.bring_in(beginning)
    assert (first["new"], first["repeated"], first["refused"]) == (first["events"], 0, 0)
    assert_same(trial, read(beginning), recount.HANOI)
    longer = trial.bring_in(file)
    assert (longer["new"], longer["repeated"]) == (longer["events"] - first["events"], first["events"])
    assert_same(trial, read(file), recount.HANOI)
    again = trial.bring_in(file)
    assert (again["new"], again["repeated"], again["refused"]) == (0, longer["events"], 0)
    assert_same(trial, read(file), recount.HANOI)
    assert trial.outboxes_have_gaps() == []
    trial.fold_again()
    assert_same(trial, read(file), recount.HANOI)


def test_the_banks_log_has_the_figures_of_its_file_at_every_import(tmp_path: Path, data_dir: Path) -> None:
    whole = first_lines(data_dir / "queue/bank-1999-02-first-half.tsv", 6_000, tmp_path).rename(tmp_path / "w.tsv")
    beginning = first_lines(whole, 2_500, tmp_path)
    trial = ImportTrial(tmp_path, "bank-1999")
    first = trial.bring_in(beginning)
    longer = trial.bring_in(whole)
    assert (longer["new"], longer["repeated"]) == (longer["events"] - first["events"], first["events"])
    assert_same(trial, recount.read_bank(whole), recount.JERUSALEM)


def test_the_dossiers_are_those_of_the_file_at_every_import(tmp_path: Path, data_dir: Path) -> None:
    file, trial = data_dir / "dossiers/receipt-first-half.csv", ImportTrial(tmp_path, "coselog-receipt")
    reports = [trial.bring_in(part) for part in (first_lines(file, 300, tmp_path), file, file)]
    new = [report["new"] for report in reports]
    assert (sum(new), new[2]) == (717 + 712, 0)
    assert_same_dossiers(reports[1]["dossiers"], recount.recount_dossiers(file))
    assert reports[2]["dossiers"] == reports[1]["dossiers"]
    store = wiring.open_store(trial.store)
    stored = store.events("replay-coselog-receipt", Window(0, 1 << 52), ["dossier.received", "dossier.resolved"])
    store.close()
    days = ((s.event, datetime.fromtimestamp(s.event.t / 1000, tz=UTC).date().isoformat()) for s in stored)
    assert Counter((event_type_of(e), getattr(e, "service", ""), day) for e, day in days) == recount.count_dossiers(
        file
    )
