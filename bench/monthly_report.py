"""How long the monthly report of the sample province takes: its figures from totals, and its PDF.

The store has two whole months of 167 centres with their devices, desks and dossiers, and of the digital systems; some
centres fail for hours, some are silent for days.  The figures are computed in this process, the PDF by one of its own.

Run: python -m bench.monthly_report [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.pages.reports.document import report_document
from api.report_pdf import render_in_process
from bench.api_scale import live_row
from bench.machine import OtherWork, describe
from bench.progress import ProgressBar, print_message
from bench.queue_history import DESK_DAYS, desk_sums
from bench.sandbox import open_sandbox
from bench.stores import open_store
from bench.summary import round_figures
from motcua.month_figures import store_month_figures
from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, days_in, floor, to_local
from telemetry.core.fold.administrative_counts import ADMINISTRATION_FIELDS
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import Total
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import calendar_period
from telemetry.inventory import default_path, load
from telemetry.queries.buckets import OpenWindowsCache
from telemetry.queries.service import Queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.pages.frame.catalogues import LanguageCode
    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import Centre, Inventory
    from telemetry.store import Store

FAILURE_SHARE, SILENT_SHARE = 0.012, 0.008
"""Of days: how often a centre is down for hours, and how often nothing is known of one."""
QUIET_EVERY = 41
"""Every so many centres one is silent for the whole time."""
SYSTEM_FAILS_AT = 9 * HOUR
"""When in a day a system fails, for an hour."""
CENTRE_NUMBER = 2
"""The centre of whose report a PDF is made too."""


class MonthWriter:
    """Writes the days of centres and systems; the same days at each run."""

    def __init__(self, inventory: Inventory, days: Sequence[Window]) -> None:
        self._inventory, self._days = inventory, days
        self._draws = random.Random(1)
        self._desks = [desk_sums(self._draws) for _ in range(DESK_DAYS)]
        self._open = OpenWindowsCache()

    def centre(self, centre: Centre) -> Iterator[Total]:
        """Yield a centre's days, and the hours of those on which it failed."""
        for day in self._days:
            timeline = self._open.open_windows(centre, day)
            if timeline.total_open and self._draws.random() >= SILENT_SHARE:
                yield from self._centre_day(centre, day, timeline)

    def _centre_day(self, centre: Centre, day: Window, timeline: OpenTimeline) -> Iterator[Total]:
        scopes = [Scope.centre(centre.id), *(Scope.device(d.id) for d in self._inventory.devices_of(centre.id))]
        failed_hours = self._draws.randint(1, 3) if self._draws.random() < FAILURE_SHARE else 0
        failed_from = timeline.starts[0]
        for scope in scopes:
            down_ms = timeline.open_within(Window(failed_from, failed_from + failed_hours * HOUR))
            up_ms = timeline.total_open - down_ms
            sums = {"up_ms": up_ms, "down_ms": down_ms, "open_up_ms": up_ms, "open_down_ms": down_ms}
            yield Total(centre.id, scope, "1d", day.start, centre.province, sums)
        for scope, start in ((s, t) for s in scopes if failed_hours for t in range(day.start, day.end, HOUR)):
            open_ms = timeline.open_within(Window(start, start + HOUR))
            state = "down" if failed_from <= start < failed_from + failed_hours * HOUR else "up"
            sums = {f"{state}_ms": open_ms, f"open_{state}_ms": open_ms}
            yield Total(centre.id, scope, "1h", start, centre.province, sums)
        for service in centre.services:
            sums = self._draws.choice(self._desks)
            yield Total(centre.id, Scope.desk(centre.id, service), "1d", day.start, centre.province, sums)
        matters = {n: histogram_of(600_000) if n.endswith("_histogram") else 2 for n in ADMINISTRATION_FIELDS}
        yield Total(
            centre.id, Scope.administration(centre.id, centre.level), "1d", day.start, centre.province, matters
        )  # fmt: skip

    def system(self, ident: str) -> Iterator[Total]:
        """Yield a system's days."""
        for day in self._days:
            is_failing = self._draws.random() < FAILURE_SHARE
            for start in range(day.start, day.end, HOUR) if is_failing else ():
                state = "down" if start == day.start + SYSTEM_FAILS_AT else "up"
                sums = {f"{state}_ms": HOUR, f"open_{state}_ms": HOUR}
                yield Total(ident, Scope.system(ident), "1h", start, self._inventory.province, sums)
            down_ms = HOUR * is_failing
            sums = {"up_ms": day.length - down_ms, "down_ms": down_ms}
            sums |= {f"open_{name}": value for name, value in sums.items()}
            yield Total(ident, Scope.system(ident), "1d", day.start, self._inventory.province, sums)


def write_rows(store: Store, entity: str, span: Window, rows: Sequence[Total]) -> None:
    """Write an entity's days and hours."""
    widths: tuple[BucketWidth, ...] = ("1d", "1h")
    for width in widths:
        store.replace_totals(entity, width, span, [row for row in rows if row.width == width])


def fill_store(store: Store, inventory: Inventory, now: int) -> tuple[str, int]:
    """Write the last two whole months; returns the later one (`2026-10`) and how many totals."""
    month = calendar_period("month", calendar_period("month", now, inventory.zone).start - 1, inventory.zone)
    span = Window(calendar_period("month", month.start - 1, inventory.zone).start, month.end)
    writer = MonthWriter(inventory, [day_window(day, inventory.zone) for day in days_in(span, inventory.zone)])
    store.set_checkpoint("fold_version", FOLD_VERSION)
    written = 0
    with ProgressBar("totals of centres", len(inventory.centres)) as bar:
        for place, centre in enumerate(inventory.centres.values(), start=1):
            rows = list(writer.centre(centre)) if place % QUIET_EVERY else []
            write_rows(store, centre.id, span, rows)
            written += len(rows)
            bar.step()
    for ident in inventory.systems:
        rows = list(writer.system(ident))
        write_rows(store, ident, span, rows)
    store.put_live_rows({c.id: live_row(inventory, c, now, now) for c in inventory.centres.values()})
    store.set_cursor(now * 1000)
    return f"{to_local(month.start, inventory.zone):%Y-%m}", written


def measure(out: Path | None = None) -> dict[str, Any]:
    """Return seconds by document; with `out` the documents are written there."""
    others, inventory = OtherWork(), load(default_path())
    with open_sandbox() as sandbox, open_store(f"sqlite:///{sandbox.folder / 'store.db'}", "") as store:
        now = floor(time.time_ns() // 1_000_000, SLOT)
        month, written = fill_store(store, inventory, now)
        store_month_figures(store, lambda: inventory, lambda: now)  # as rollup does every night
        centre = list(inventory.centres)[CENTRE_NUMBER]
        documents: dict[str, Any] = {}
        asked: tuple[tuple[LanguageCode, str | None], ...] = (
            ("vi", None),
            ("en", None),
            ("vi", centre),
            ("en", centre),
        )
        for lang, place in asked:
            name = f"{'centre' if place else 'province'}, {lang}"
            documents[name] = _time_document(Queries(store, lambda: inventory, lambda: now), (month, place, lang), out)
    results = {"centres": len(inventory.centres), "month": month, "totals": written, "documents": documents}
    return results | {"others_pct": others.share_pct()}


def _time_document(
    queries: Queries, asked: tuple[str, str | None, LanguageCode], out: Path | None
) -> dict[str, float]:  # fmt: skip
    """Compute and render one report of a month, centre (None: the province) and language; nothing is cached."""
    month, centre, lang = asked
    began, cpu = time.perf_counter(), time.process_time()
    html = report_document(queries, month, centre, lang)
    cpu = time.process_time() - cpu
    computed, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    pdf = render_in_process(html)
    rendered, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    if out is not None:
        name = f"{month}-{centre or 'province'}-{lang}"
        (out / f"{name}.pdf").write_bytes(pdf)
        (out / f"{name}.html").write_text(html, encoding="utf-8")
    return {
        "figures_s": computed - began, "figures_cpu_s": cpu, "pdf_s": rendered - computed,
        "pdf_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "kb": len(pdf) / 1000,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.monthly_report", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for the documents")
    results = measure(parser.parse_args().out)
    print_message(f"monthly report: {results['totals']} totals")
    print(json.dumps(round_figures({"machine": describe(), "monthly_report": results}), indent=2))


if __name__ == "__main__":
    main()
