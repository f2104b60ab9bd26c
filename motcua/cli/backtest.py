"""`motcua backtest`: what models would have forecast of stored days, from earlier ones. It must not change a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from motcua.cli import ConfigOption, StoreOption
from motcua.startup import load_inventory, load_settings, parse_time, stored_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motcua.arrivals_backtest import CentreBacktest

app = typer.Typer(no_args_is_help=True, help="Try models on stored days, each forecast made from the time before it.")
FitUntilOption = Annotated[
    str, typer.Option("--fit-until", help="Forecast from here on: 2026-10-01 (local) or a time with offset.")
]
ToOption = Annotated[str | None, typer.Option("--to", help="Forecast until here (default: all that is stored).")]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write one row per forecast to this file.")]


@app.command()
def arrivals(
    fit_until: FitUntilOption,
    to: ToOption = None,
    csv: CsvOption = None,
    centre: Annotated[str, typer.Option(help="Only this centre (default: every centre with tickets).")] = "",
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Forecast the arrivals of every half hour a day ahead, and compare with the plain mean of earlier same weekdays.

    Reads stored 5-minute totals.  Example: motcua backtest arrivals --store sqlite:///store.db --fit-until 2026-10-01
    """
    from motcua import arrivals_backtest
    from motcua.arrivals_backtest import BacktestPeriod

    since = parse_time("--fit-until", fit_until)
    until = None if to is None else parse_time("--to", to)
    settings = load_settings(config, MOTCUA_STORE=store)
    inventory = load_inventory(settings, stored_logs(settings))()
    results = arrivals_backtest.run_backtest(settings, inventory, BacktestPeriod(since, until), centre)
    if csv is not None:
        arrivals_backtest.write_csv(csv, results)
    _print_arrivals(results)


def _print_arrivals(results: Sequence[CentreBacktest]) -> None:
    table = Table(title="Arrivals per half hour, a day ahead", box=box.SIMPLE_HEAD)
    for name in ("Centre", "Days", "Arrivals", "WAPE", "same-slot mean", "Ratio", "Bias", "in p10–p90"):
        table.add_column(name, justify="left" if name == "Centre" else "right")
    for result in results:
        score = result.score
        ratios = (score.error.wape, score.same_slot_error.wape, score.ratio, score.error.bias, score.inside)
        table.add_row(
            result.centre.id, str(score.error.days), str(score.error.actual),
            *("-" if ratio is None else f"{ratio:.3f}" for ratio in ratios),
        )  # fmt: skip
    Console().print(table)
