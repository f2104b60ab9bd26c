"""Makes the README's table from the results: what was measured, the goal, the figure. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.machine import BUSY_PCT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = tuple[str, str, str]

BACKLOG_GOALS = {"20": "≥ 80,000 events/s", "1": "≥ 15,000 messages/s"}
RATIO_GOALS = {"20": "≥ 1.8", "1": "≥ 0.8"}


def backlog(found: dict[str, Any]) -> Iterator[Row]:
    """Yield throughput by frame size, and Telegraf's."""
    for size, one in found.items():
        what = f"Ingest into InfluxDB, backlog in frames of {size}"
        unit = "messages/s" if size == "1" else "events/s"
        yield what, BACKLOG_GOALS.get(size, ""), f"{one['median']:,.0f} {unit}, worst {one['worst']:,.0f}"
        run = middle(one)
        yield "… processor seconds of a run", "", seconds(run["cpu_s"])
        yield "… ingest's memory, peak", "", f"{max(r['rss_peak_mb']['ingest'] for r in one['runs']):.0f} MB"
        if "telegraf" in one:
            other = one["telegraf"]
            yield "… Telegraf, the same backlog", "", f"{other['median']:,.0f} {unit}, worst {other['worst']:,.0f}"
            yield "… ratio to Telegraf", RATIO_GOALS.get(size, ""), f"{one['ratio']:.2f} ×"
            yield "… Telegraf's processor seconds", "", seconds(middle(other)["cpu_s"])


def middle(spread: dict[str, Any]) -> dict[str, Any]:
    """Return the median run, or the run next below it."""
    runs: list[dict[str, Any]] = sorted(spread["runs"], key=lambda run: run["events_per_s"])
    return runs[(len(runs) - 1) // 2]


def seconds(cpu: dict[str, float]) -> str:
    """Return processor seconds by process."""
    return ", ".join(f"{name} {value:.1f}" for name, value in cpu.items())


def memory(found: dict[str, Any]) -> Iterator[Row]:
    """Yield ingest's memory while a long queue lies on the broker."""
    peak = found["rss_peak_mb"]
    what = f"Ingest's memory, {found['messages']:,} frames queued, peak"
    yield what, "≤ 200 MB", f"{peak['ingest']:.0f} MB (broker {peak['broker']:,.0f} MB)"


def embedded(found: dict[str, Any]) -> Iterator[Row]:
    """Yield the embedded default's throughput."""
    what, goal = "Ingest on the embedded default, live frames of 20", "≥ 20,000 events/s"
    yield what, goal, f"{found['median']:,.0f} events/s, worst {found['worst']:,.0f}"


def latency(found: dict[str, Any]) -> Iterator[Row]:
    """Yield capture to receipt."""
    for name, one in found.items():
        what = "Capture to receipt, 1,000 events/s" + (", rollup folding too" if name == "with_rollup" else "")
        figures = ", ".join(f"{p} {one[p] * 1000:,.0f} ms" for p in ("p50", "p95", "p99"))
        yield what, "p95 ≤ 1 s", f"{figures} at {one['events_per_s']:,.0f} events/s"


def centre_day(found: dict[str, Any]) -> Iterator[Row]:
    """Yield how soon a day's backlog is seen."""
    for store, one in found.items():
        what = f"A centre's 24 h backlog visible in availability, {STORES[store]}"
        yield what, "≤ 10 s", f"{one['median']:.1f} s, worst {one['worst']:.1f} s"


def agent(found: dict[str, Any]) -> Iterator[Row]:
    """Yield the agent's weight and rates."""
    rate = found["append_per_s"]
    figures = f"{rate['single']:,.0f} events/s; 8 threads {rate['single_8_threads']:,.0f}"
    yield "Agent's memory (RSS), an event a second", "≤ 40 MB", f"{found['rss_mb']} MB"
    yield "Agent's processor share, an event a second", "≤ 1 % of a core", f"{found['cpu_pct']} % of a core"
    yield "Agent's durable append, single events", "≥ 2,000 events/s", figures
    yield "Agent's durable append, groups of 50", "", f"{rate['groups_of_50']:,.0f} events/s"
    drain = found["drain"]
    what = f"Agent's drain of {drain['rows']:,} rows, to the last receipt"
    yield what, "≥ 10,000 events/s", f"{drain['events_per_s']:,.0f} events/s, agent's peak {drain['agent_peak_mb']} MB"


def recompute(found: dict[str, Any]) -> Iterator[Row]:
    """Yield how long folding again takes."""
    for store, one in found.items():
        centre, province = one["centre_day"], one["province_day"]
        name = STORES[store]
        yield f"Fold a centre's day ({one['centre_events']:,} events), {name}", "", f"{centre['seconds']:.2f} s"
        yield f"Fold the province's day ({one['province_events']:,} events), {name}", "", f"{province['seconds']:.1f} s"


def readd(found: dict[str, Any]) -> Iterator[Row]:
    """Yield how long a calendar edit takes to reach a centre's past."""
    for store, one in found.items():
        what = f"Add a centre's {one['days']} days again after a calendar edit, {STORES[store]}"
        yield what, "< 5 s", f"{one['seconds']:.2f} s"


def slo(found: dict[str, Any]) -> Iterator[Row]:
    """Yield how long judging every objective takes."""
    count = f"Judge {found['judgements']:,} objectives of {found['centres']:,} centres, {found['devices']:,} devices"
    yield count, "< 1 s", f"{found['judge_s']:.2f} s; {found['changed_s']:.2f} s when all totals changed"
    figure = f"{found['load_s']:.0f} s from {found['totals']:,} totals; a new day {found['new_day_s']:.1f} s"
    yield "Objectives: read after a start, SQLite", "", figure
    yield "Objectives: memory", "≤ 150 MB", f"{found['memory_mb']:.0f} MB"


def api(found: dict[str, Any]) -> Iterator[Row]:
    """Yield the API's answers by size and question, all stores in one row."""
    first: dict[str, Any] = next(iter(found.values()))
    for size, one in first.items():
        for name in one["questions"]:
            figures = [_answered(STORES[store], sizes[size]["questions"][name]) for store, sizes in found.items()]
            yield f"API, {int(size):,} devices: {name}", _goal(size, name), "; ".join(figures)
        memory = ", ".join(f"{STORES[store]} {sizes[size]['api_rss_mb']:.0f} MB" for store, sizes in found.items())
        yield f"API, {int(size):,} devices: memory (RSS)", "", memory


def _goal(size: str, question: str) -> str:
    """Return the promise for what pages and scripts poll; histories of queues have none."""
    if question.startswith("queues") and "28 d" in question:
        return ""
    return "p95 < 1,000 ms" if question == "metrics" else f"p95 < {50 if int(size) <= 1_000 else 150} ms"


def _answered(store: str, took: dict[str, float]) -> str:
    return f"{store} p50 {took['p50_ms']:,.0f} ms, p95 {took['p95_ms']:,.0f} ms"


def demo(found: dict[str, Any]) -> Iterator[Row]:
    """Yield the demo's answers and weight."""
    goals = {"/metrics": "p95 < 1,000 ms"}
    for path, took in found["paths"].items():
        figure = f"p50 {took['p50_ms']} ms, p95 {took['p95_ms']} ms"
        yield f"Demo: `GET {path}`", goals.get(path, "p95 < 50 ms"), figure
    yield "Demo with a day behind it: live after", "", f"{found['live_after_s']} s"
    yield "Demo's memory (RSS)", "≤ 500 MB", f"{found['rss_mb']} MB"
    yield "Demo's processor share, live", "≤ 100 % of a core", f"{found['cpu_pct']} % of a core"


def plan(found: dict[str, Any]) -> Iterator[Row]:
    """Yield how long the plan of a stack takes."""
    what = f"Plan of a stack with {found['devices']:,} devices"
    yield what, "≤ 2 s", f"{found['plan_s']:.2f} s"


def stack(found: dict[str, Any]) -> Iterator[Row]:
    """Yield how long the engine takes for the stack `local`."""
    for run in found["runs"]:
        goal = "≤ 20 s" if run["devices"] > 1_000 else "≤ 10 s"
        what = f"Pulumi, {run['devices']:,} devices, {run['resources']} resources: no-op preview"
        yield what, goal, f"{run['preview_s']:.1f} s; first `up` {run['up_s']:.1f} s, second {run['again_s']:.1f} s"


STORES = {"influx": "InfluxDB", "sqlite": "SQLite"}
PARTS: dict[str, Callable[[dict[str, Any]], Iterator[Row]]] = {
    "backlog": backlog, "memory": memory, "latency": latency, "centre_day": centre_day, "agent": agent,
    "recompute": recompute, "readd": readd, "slo": slo, "api": api, "embedded": embedded, "demo": demo, "plan": plan,
    "stack": stack,
}  # fmt: skip


def others_pct(found: object) -> float:
    """Return the largest share that other work took during any run of a part, %."""
    if isinstance(found, dict):
        own = [float(found["others_pct"])] if "others_pct" in found else []
        return max([*own, *(others_pct(value) for value in found.values())], default=0.0)
    if isinstance(found, list):
        return max((others_pct(value) for value in found), default=0.0)
    return 0.0


def table(results: dict[str, Any]) -> str:
    """Return the machine and the table; a part measured beside other work says so."""
    machine = results["machine"]
    said = f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"
    lines = [f"{said}, Python {machine['python']}.", "", "| What | Goal | Measured | Day |", "|---|---|---|---|"]
    for name, rows in PARTS.items():
        part = results["parts"].get(name)
        if part is None:
            continue
        busy = others_pct(part["found"])
        mark = f" **(beside {busy:.0f} % other work)**" if busy > BUSY_PCT else ""
        lines += [f"| {what} | {goal} | {figure}{mark} | {part['day']} |" for what, goal, figure in rows(part["found"])]
    return "\n".join(lines) + "\n"
