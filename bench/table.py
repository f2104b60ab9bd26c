"""Makes the README's table from the results: what was measured, the goal, the figure. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.machine import BUSY_PCT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TableRow = tuple[str, str, str]

BACKLOG_GOALS = {"20": "≥ 80,000 events/s", "1": "≥ 15,000 messages/s"}
HISTORY_GOALS_MS = {"influx": 300, "sqlite": 150}
RATIO_GOALS = {"20": "≥ 1.8", "1": "≥ 0.8"}


def backlog_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield throughput by frame size, and Telegraf's."""
    for size, result in results.items():
        what = f"Ingest into InfluxDB, backlog in frames of {size}"
        unit = "messages/s" if size == "1" else "events/s"
        yield what, BACKLOG_GOALS.get(size, ""), f"{result['median']:,.0f} {unit}, worst {result['worst']:,.0f}"
        run = median_run(result)
        yield "… processor seconds of a run", "", cpu_text(run["cpu_s"])
        yield "… ingest's memory, peak", "", f"{max(r['rss_peak_mb']['ingest'] for r in result['runs']):.0f} MB"
        if "telegraf" in result:
            other = result["telegraf"]
            yield "… Telegraf, the same backlog", "", f"{other['median']:,.0f} {unit}, worst {other['worst']:,.0f}"
            yield "… ratio to Telegraf", RATIO_GOALS.get(size, ""), f"{result['ratio']:.2f} ×"
            yield "… Telegraf's processor seconds", "", cpu_text(median_run(other)["cpu_s"])


def median_run(spread: dict[str, Any]) -> dict[str, Any]:
    """Return the median run, or the run next below it."""
    runs: list[dict[str, Any]] = sorted(spread["runs"], key=lambda run: run["events_per_s"])
    return runs[(len(runs) - 1) // 2]


def cpu_text(cpu: dict[str, float]) -> str:
    """Return processor seconds by process."""
    return ", ".join(f"{name} {value:.1f}" for name, value in cpu.items())


def memory_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield ingest's memory with a long queue on the broker."""
    peak = result["rss_peak_mb"]
    what = f"Ingest's memory, {result['messages']:,} frames queued, peak"
    yield what, "≤ 200 MB", f"{peak['ingest']:.0f} MB (broker {peak['broker']:,.0f} MB)"


def embedded_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield the embedded default's throughput."""
    what, goal = "Ingest on the embedded default, live frames of 20", "≥ 20,000 events/s"
    yield what, goal, f"{result['median']:,.0f} events/s, worst {result['worst']:,.0f}"


def latency_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield capture to receipt."""
    for name, result in results.items():
        what = "Capture to receipt, 1,000 events/s" + (", rollup folding too" if name == "with_rollup" else "")
        figures = ", ".join(f"{p} {result[p] * 1000:,.0f} ms" for p in ("p50", "p95", "p99"))
        yield what, "p95 ≤ 1 s", f"{figures} at {result['events_per_s']:,.0f} events/s"


def centre_day_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how soon a day's backlog is visible."""
    for store, result in results.items():
        what = f"A centre's 24 h backlog visible in availability, {STORES[store]}"
        yield what, "≤ 10 s", f"{result['median']:.1f} s, worst {result['worst']:.1f} s"


def agent_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield the agent's weight and rates."""
    rate = result["append_per_s"]
    figures = f"{rate['single']:,.0f} events/s; 8 threads {rate['single_8_threads']:,.0f}"
    yield "Agent's memory (RSS), an event a second", "≤ 40 MB", f"{result['rss_mb']} MB"
    yield "Agent's processor share, an event a second", "≤ 1 % of a core", f"{result['cpu_pct']} % of a core"
    yield "Agent's durable append, single events", "≥ 2,000 events/s", figures
    yield "Agent's durable append, groups of 50", "", f"{rate['groups_of_50']:,.0f} events/s"
    drain = result["drain"]
    what = f"Agent's drain of {drain['rows']:,} rows, to the last receipt"
    yield what, "≥ 10,000 events/s", f"{drain['events_per_s']:,.0f} events/s, agent's peak {drain['agent_peak_mb']} MB"


def recompute_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long folding again takes."""
    for store, result in results.items():
        centre, province = result["centre_day"], result["province_day"]
        name = STORES[store]
        yield f"Fold a centre's day ({result['centre_events']:,} events), {name}", "", f"{centre['seconds']:.2f} s"
        yield (
            f"Fold the province's day ({result['province_events']:,} events), {name}",
            "",
            f"{province['seconds']:.1f} s",
        )


def readd_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long a calendar edit takes to reach a centre's past."""
    for store, result in results.items():
        what = f"Add a centre's {result['days']} days again after a calendar edit, {STORES[store]}"
        yield what, "< 5 s", f"{result['seconds']:.2f} s"


def burden_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield what one device's events cost all others."""
    names = {"old_days": "events on many old days", "undeclared_systems": "results of undeclared systems"}
    for store, result in results.items():
        for key, name in names.items():
            figures = result[key]
            text = f"{figures['longest_pass_s']:.1f} s; all folded after {figures['all_folded_s']:.0f} s"
            yield f"Rollup's longest pass, one device's {name}, {STORES[store]}", "< 5 s", text
        odd = result["odd_rows"]
        what = f"A frame's write after {odd['frames']:,} frames of odd row numbers only, {STORES[store]}"
        yield what, "", f"{odd['last_ms']:.1f} ms, the first ones {odd['first_ms']:.1f} ms"


def slo_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long evaluating every objective takes."""
    count = f"Judge {result['judgements']:,} objectives of {result['centres']:,} centres, {result['devices']:,} devices"
    yield count, "< 1 s", f"{result['judge_s']:.2f} s; {result['changed_s']:.2f} s when all totals changed"
    figure = f"{result['load_s']:.0f} s from {result['totals']:,} totals; a new day {result['new_day_s']:.1f} s"
    yield "Objectives: read after a start, SQLite", "", figure
    yield "Objectives: memory", "≤ 150 MB", f"{result['memory_mb']:.0f} MB"


def kpis_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long indicators of a province take, by question."""
    for name, p95_ms in result["p95_ms"].items():
        figure = (
            f"p95 {p95_ms:.0f} ms, worst {result['worst_ms'][name]:.0f} ms; first {result['first_ms'][name]:,.0f} ms"
        )
        yield f"Indicators, {result['centres']} centres, a year: {name}", "p95 < 50 ms", figure


def api_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield the API's answers by size and question, all stores in one row."""
    first: dict[str, Any] = next(iter(results.values()))
    for size, result in first.items():
        for name in result["questions"]:
            figures = [_latency_text(STORES[store], sizes[size]["questions"][name]) for store, sizes in results.items()]
            yield f"API, {int(size):,} devices: {name}", _goal(size, name), "; ".join(figures)
        memory = ", ".join(f"{STORES[store]} {sizes[size]['api_rss_mb']:.0f} MB" for store, sizes in results.items())
        yield f"API, {int(size):,} devices: memory (RSS)", "", memory


def queue_history_rows(results: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how fast the queues of all centres are answered, the first answer apart."""
    for store, result in results.items():
        goal = f"p95 ≤ {HISTORY_GOALS_MS[store]} ms"
        for name, timing in result["questions"].items():
            what = f"Queues (ms) of {result['centres']} centres, 28 days, {name}, {STORES[store]}"
            yield (
                what,
                goal,
                f"p50 {timing['p50_ms']:.0f}, p95 {timing['p95_ms']:.0f}, first {timing['first_ms']:.0f}",
            )


def _goal(size: str, question: str) -> str:
    """Return the target for what pages and scripts poll; queue histories have none."""
    if question.startswith("queues") and "28 d" in question:
        return ""
    return "p95 < 1,000 ms" if question == "metrics" else f"p95 < {50 if int(size) <= 1_000 else 150} ms"


def _latency_text(store: str, took: dict[str, float]) -> str:
    size = f", {took['bytes'] / 1000:.0f} kB ({took['gzip_bytes'] / 1000:.0f} gzip)" if "gzip_bytes" in took else ""
    return f"{store} p50 {took['p50_ms']:,.0f} ms, p95 {took['p95_ms']:,.0f} ms{size}"


def demo_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield the demo's answers and weight."""
    goals = {"/metrics": "p95 < 1,000 ms"}
    for path, took in result["paths"].items():
        figure = f"p50 {took['p50_ms']} ms, p95 {took['p95_ms']} ms"
        yield f"Demo: `GET {path}`", goals.get(path, "p95 < 50 ms"), figure
    yield "Demo with a day behind it: live after", "", f"{result['live_after_s']} s"
    yield "Demo's memory (RSS)", "≤ 500 MB", f"{result['rss_mb']} MB"
    yield "Demo's processor share, live", "≤ 100 % of a core", f"{result['cpu_pct']} % of a core"


def forecast_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long a night's forecasts take, and how well arrivals are forecast."""
    night = result["night"]
    what = f"Forecasts of {night['centres']} centres from {night['totals']:,} totals, SQLite"
    yield what, "< 10 s", f"{night['seconds']:.1f} s; largest row {night['largest_row_kb']:.0f} kB"
    names = {"all": "all days with an earlier one of their weekday", "from_11": "from the 11th day on"}
    for name, error in result["error"].items():
        figures = f"WAPE {error['wape']:.3f}, same-slot mean {error['same_slot_wape']:.3f}, ratio {error['ratio']:.2f}"
        text = f"{figures}; {error['inside']:.0%} in p10–p90"
        yield f"Arrivals of the call log a day ahead, {names[name]}", "ratio ≤ 0.86", text


def anomaly_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield which incidents of the call log are flagged, and how many other half hours."""
    if result:
        for day, count in result["incidents"].items():
            live = result["incidents_live"][day]
            yield f"Half hours flagged in the incident of {day}", "≥ 1", f"{count}; by earlier days alone {live}"
        weeks = ", ".join(str(count) for count in result["further_by_week"])
        yield (
            "Other half hours flagged, by week",
            "≤ 3 a week",
            f"{weeks}; by earlier days alone {result['further_live']}",
        )


def cloud_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long plan and objects of all hosted systems take in all stages."""
    what = f"Plan and objects of {result['systems']} hosted systems in {result['stages']} stages"
    yield what, "≤ 2 s", f"{result['total_s']:.2f} s, {result['objects']:,} objects"


def plan_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long the plan of a stack takes."""
    what = f"Plan of a stack with {result['devices']:,} devices"
    yield what, "≤ 2 s", f"{result['plan_s']:.2f} s"


def stack_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long the engine takes for the stack `local`."""
    for run in result["runs"]:
        goal = "≤ 20 s" if run["devices"] > 1_000 else "≤ 10 s"
        what = f"Pulumi, {run['devices']:,} devices, {run['resources']} resources: no-op preview"
        yield what, goal, f"{run['preview_s']:.1f} s; first `up` {run['up_s']:.1f} s, second {run['again_s']:.1f} s"


def readers_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield what greedy readers cost everybody else."""
    yield "Eight different windows of a century: memory", "≤ 30 MB", f"{result['centuries']['grown_mb']:.0f} MB"
    for name, what in (("too_long", "windows that are too long"), ("allowed", "the longest windows")):
        took = result[name]["status_beside"]
        yield f"`/status` beside four clients that repeat {what}", "", _plain_latency_text(took)
    yield "60 readers that read nothing of 2.8 MB: memory", "≤ 100 MB", f"{result['slow_readers']['grown_mb']:.0f} MB"
    yield "`/status` beside 500 event streams", "p95 ≤ 250 ms", _plain_latency_text(result["streams"])


def _plain_latency_text(took: dict[str, float]) -> str:
    return f"p50 {took['p50_ms']:,.0f} ms, p95 {took['p95_ms']:,.0f} ms"


def live_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how soon an event is on all streams, and on a page."""
    what = f"From a device's outbox to {result['streams']} open event streams of one process"
    yield what, "p95 ≤ 3 s", _seconds_text(result["to_streams"]) + f", {result['missing']} missed"
    if "to_page" in result:
        yield "… to the start page in Chromium beside them", "p95 ≤ 3 s", _seconds_text(result["to_page"])


LONG_PAGES_MS = {"/incidents, 7 days": 300}
PAGE_MS = 50


def page_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield the size of each page and how long it takes."""
    for name, page in result["pages"].items():
        what = f"Page `{name}`, {result['centres']} centres, {result['devices']} devices"
        size = f"{page['bytes']:,} bytes, {page['gzip_bytes']:,} compressed"
        took = f"p50 {page['p50_ms']:.0f} ms, p95 {page['p95_ms']:.0f} ms"
        cpu = f"processor p50 {page['cpu_p50_ms']:.0f} ms, p95 {page['cpu_p95_ms']:.0f} ms"
        yield what, f"p95 ≤ {LONG_PAGES_MS.get(name, PAGE_MS)} ms", f"{took}; {cpu}; {size}"


def _seconds_text(took: dict[str, float]) -> str:
    return f"p50 {took['p50']:.1f} s, p95 {took['p95']:.1f} s, longest {took['max']:.1f} s"


def dataset_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield size and time of the open datasets."""
    for name, one in result["datasets"].items():
        size = f"{one['rows']:,} rows, {one['mb']:.1f} MB"
        times = f"{one['first_s']:.1f} s first, {one['again_s']:.1f} s again"
        yield (
            f"Open data of {result['centres']} centres: {name}",
            "",
            f"{size}: {times}; API {one['api_rss_mb']:.0f} MB",
        )


def monthly_report_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield how long the PDF of a monthly report takes, with its figures."""
    for name, one in result["documents"].items():
        parts = f"figures {one['figures_s']:.1f} s ({one['figures_cpu_s']:.1f} s processor)"
        pdf = f"PDF {one['pdf_s']:.1f} s ({one['pdf_cpu_s']:.1f} s processor), {one['kb']:.0f} kB"
        yield f"Monthly report of {result['centres']} centres, {name}", "≤ 10 s", f"{parts}; {pdf}"


WAIT_GOALS = {"constant": "≤ 0.76", "queue_length": "≤ 0.79"}


def waits_rows(result: dict[str, Any]) -> Iterator[TableRow]:
    """Yield the scores of predicted waits, those of simple estimators, and what they cost."""
    own, others = result["methods"][0], result["methods"][1:]
    constant = others[0]
    what = f"Predicted waits of {own['count']:,} calls, four days after ten: mean absolute error"
    yield what, "", f"{own['mae_s']:.1f} s, bias {own['bias_s']:+.1f} s"
    for method in others:
        ratio, name = own["mae_s"] / method["mae_s"], method["method"].replace("_", " ")
        figure = f"{ratio:.3f} ({name} alone: {method['mae_s']:.1f} s)"
        yield f"… ÷ that of {name}", WAIT_GOALS.get(method["method"], ""), figure
    ratio = own["pinball_s"] / constant["pinball_s"]
    yield "… pinball loss at 0.9 ÷ that of the constant p90", "≤ 0.72", f"{ratio:.3f}"
    yield "… waits within p90", "87–93 %", f"{own['share_within']:.1%}"
    for name, group in result["groups"].items():
        yield f"… {name} ({group['tickets']:,})", "86–94 %", f"{group['share_within']:.1%}"
    cost = result["cost"]
    walk = f"{cost['walk_s']:.0f} s to walk ten days, {cost['fit_s']:.1f} s to fit {cost['rows']:,} rows"
    yield "… what a refit takes", "≤ 60 s, ≤ 300 MB", f"{walk}; peak {cost['peak_mb']:.0f} MB"
    yield "… prediction for a newcomer", "< 20 ms", f"{cost['predict_ms']:.1f} ms"


STORES = {"influx": "InfluxDB", "sqlite": "SQLite"}
ROW_BUILDERS: dict[str, Callable[[dict[str, Any]], Iterator[TableRow]]] = {
    "backlog": backlog_rows, "memory": memory_rows, "latency": latency_rows, "centre_day": centre_day_rows,
    "agent": agent_rows,
    "recompute": recompute_rows, "readd": readd_rows, "burden": burden_rows, "readers": readers_rows, "live": live_rows,
    "slo": slo_rows, "kpis": kpis_rows, "api": api_rows, "embedded": embedded_rows,
    "demo": demo_rows, "forecast": forecast_rows, "anomalies": anomaly_rows, "plan": plan_rows,
    "cloud": cloud_rows,
    "stack": stack_rows, "waits": waits_rows, "datasets": dataset_rows,
    "queue_history": queue_history_rows, "pages": page_rows, "monthly_report": monthly_report_rows,
}  # fmt: skip


def others_pct(result: object) -> float:
    """Return the largest share that other work took during any run of a part, %."""
    if isinstance(result, dict):
        own = [float(result["others_pct"])] if "others_pct" in result else []
        return max([*own, *(others_pct(value) for value in result.values())], default=0.0)
    if isinstance(result, list):
        return max((others_pct(value) for value in result), default=0.0)
    return 0.0


def render_table(results: dict[str, Any]) -> str:
    """Return the machine and the table; a part measured beside other work is marked."""
    machine = results["machine"]
    machine_text = f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"
    lines = [
        f"{machine_text}, Python {machine['python']}.",
        "",
        "| What | Goal | Measured | Day |",
        "|---|---|---|---|",
    ]
    for name, rows in ROW_BUILDERS.items():
        part = results["parts"].get(name)
        if part is None:
            continue
        busy = others_pct(part["found"])
        suffix = f" **(beside {busy:.0f} % other work)**" if busy > BUSY_PCT else ""
        lines += [
            f"| {what} | {goal} | {figure}{suffix} | {part['day']} |" for what, goal, figure in rows(part["found"])
        ]
    return "\n".join(lines) + "\n"
