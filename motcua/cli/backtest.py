"""`motcua backtest`: what models would have forecast of stored days, from earlier ones. It must not change a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from motcua.backtest_output import BacktestPeriod
from motcua.cli import ConfigOption, StoreOption
from motcua.report_console import open_report_console, print_table
from motcua.startup import load_inventory, load_settings, parse_time, stored_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from motcua.arrivals_backtest import CentreBacktest
    from telemetry.prediction.wait_report import MethodScore

app = typer.Typer(no_args_is_help=True, help="Try models on stored days, each forecast made from the time before it.")
FitUntilOption = Annotated[
    str, typer.Option("--fit-until", help="Forecast from here on: 2026-10-01 (local) or a time with offset.")
]
ToOption = Annotated[str | None, typer.Option("--to", help="Forecast until here (default: all that is stored).")]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write one row per forecast to this file.")]
CentreOption = Annotated[str, typer.Option(help="Only this centre (default: every centre with tickets).")]


def _parse_period(fit_until: str, to: str | None) -> BacktestPeriod:
    return BacktestPeriod(parse_time("--fit-until", fit_until), None if to is None else parse_time("--to", to))


@app.command()
def arrivals(
    fit_until: FitUntilOption,
    to: ToOption = None,
    csv: CsvOption = None,
    centre: CentreOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Forecast the arrivals of every half hour a day ahead, and compare with the plain mean of earlier same weekdays.

    Reads stored 5-minute totals.  Example: motcua backtest arrivals --store sqlite:///store.db --fit-until 2026-10-01
    """
    from motcua import arrivals_backtest

    period = _parse_period(fit_until, to)
    settings = load_settings(config, MOTCUA_STORE=store)
    inventory = load_inventory(settings, stored_logs(settings))()
    results = arrivals_backtest.run_backtest(settings, inventory, period, centre)
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
    print_table(open_report_console(), table)


@app.command()
def waits(
    fit_until: FitUntilOption,
    to: ToOption = None,
    csv: CsvOption = None,
    centre: CentreOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Predict the wait of every past ticket that queued, from what was known before it, and compare with what came.

    One row a ticket: median and 90 % bound, and the wait (empty: never called). Fitted again at each midnight.
    Example: motcua backtest waits --store sqlite:///store.db --fit-until 1999-02-11 --csv waits.csv
    """
    from motcua import waits_backtest
    from telemetry.prediction.wait_report import compare_methods

    period = _parse_period(fit_until, to)
    settings = load_settings(config, MOTCUA_STORE=store)
    inventory = load_inventory(settings, stored_logs(settings))()
    tests = waits_backtest.run_backtests(settings, inventory, period, centre)
    if csv is not None:
        waits_backtest.write_csv(csv, tests)
    for name, test in tests.items():
        _print_waits(name, compare_methods(test.tickets, test.trained_waits))


def _print_waits(centre: str, methods: Sequence[MethodScore]) -> None:
    if not methods:
        print(f"{centre}: no tested ticket was called")
        return
    own, constant = methods[0].scores, methods[1].scores
    table = Table(title=f"{centre}: {own.count} called tickets that queued", box=box.SIMPLE_HEAD)
    for column in ("Method", "MAE s", "prediction ÷ it", "Bias s", "Pinball 0.9 s", "÷ constant", "Waits ≤ p90"):
        is_name = column == "Method"
        table.add_column(column, justify="left" if is_name else "right", no_wrap=is_name)
    for method in methods:
        scores = method.scores
        quantile = (
            f"{scores.pinball_s:.1f}",
            f"{scores.pinball_s / constant.pinball_s:.3f}",
            f"{scores.share_within:.1%}",
        )
        table.add_row(
            method.method.replace("_", " "), f"{scores.mae_s:.1f}", f"{own.mae_s / scores.mae_s:.3f}",
            f"{scores.bias_s:+.1f}", *(quantile if method.has_p90 else ("", "", "")),
        )  # fmt: skip
    print_table(open_report_console(), table)
