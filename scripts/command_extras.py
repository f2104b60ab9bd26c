"""Runs every command in an environment with one extra (or none): it works, or says which extra it needs and exits 2.

Run by scripts/wheel-check in each environment, in an empty folder: python command_extras.py none|edge|server|infra
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import telemetry
from motcua.__main__ import main
from motcua.cli.extras import EXTRAS_BY_COMMAND

SAMPLE = Path(telemetry.__file__).parent / "sample" / "bentre-2021"
"""The installed sample: a checkout has it elsewhere."""
CHECKS: dict[str, tuple[str, int]] = {
    "agent": ("agent --config none.toml", 2),
    "api": ("api --config faulty.toml", 2),
    "backtest arrivals": (
        "backtest arrivals --fit-until 2026-10-01 --store influxdb+http://127.0.0.1:9?org=o&bucket=b",
        1,
    ),
    "backtest waits": (
        "backtest waits --fit-until 2026-01-01 --csv waits.csv --store influxdb+http://127.0.0.1:9?org=o&bucket=b",
        1,
    ),
    "broker": ("broker --listen nowhere", 2),
    "ca request": ("ca request --name vn83-83-kiosk1", 0),
    "ca root": ("ca root --out root --name Root", 0),
    "ca show": ("ca show none.pem", 2),
    "ca sign": ("ca sign --csr none.csr", 2),
    "cloud check": ("cloud check --today 2026-11-30", 0),
    "cloud diff": (f"cloud diff --from {SAMPLE}", 0),
    "cloud dossier": ("cloud dossier --system vn83-onestop", 0),
    "cloud flows": ("cloud flows", 0),
    "cloud lock": ("cloud lock --check", 0),
    "cloud report": ("cloud report --year 2026", 0),
    "cloud size": ("cloud size", 0),
    "cloud stacks": ("cloud stacks none", 2),
    "cloud start": ("cloud start vn83-onestop/db --data none", 1),
    "cloud status": ("cloud status --data none", 1),
    "cloud stop": ("cloud stop vn83-onestop/db --data none", 1),
    "demo": ("demo --config faulty.toml", 2),
    "device command send": ("device command send", 2),
    "device config publish": ("device config publish", 2),
    "device key": ("device key lan --out lan.key", 0),
    "device operations": ("device operations", 0),
    "drift": ("drift", 2),
    "ingest": ("ingest --config faulty.toml", 2),
    "inventory check": ("inventory check", 0),
    "inventory check --policy": ("inventory check --policy --today 2026-11-30", 0),
    "inventory graph": ("inventory graph", 0),
    "inventory graph --plan": ("inventory graph --plan", 0),
    "inventory openslo export": ("inventory openslo export --out slo.yaml", 0),
    "inventory openslo import": ("inventory openslo import slo.yaml", 0),
    "inventory render": ("inventory render --device vn83-83-kiosk1", 0),
    "inventory show": ("inventory show vn83-83", 0),
    "operator-key": ("operator-key lan", 0),
    "publish": ("publish 2021-10 --store influxdb+http://127.0.0.1:9?org=o&bucket=b", 1),
    "render": ("render --target kubernetes --out kubernetes", 0),
    "replay": ("replay none.tsv --mapping bank-1999", 2),
    "report": ("report 2021-10 --out report.html --store influxdb+http://127.0.0.1:9?org=o&bucket=b", 1),
    "rollup": ("rollup --config faulty.toml", 2),
    "rotation report": ("rotation report", 2),
    "version": ("version", 0),
}
"""A short run of each command and its exit code where the extra is there: where that is 2, the fault of the input."""
HINT = 'pip install "motcua['


def run(line: str) -> tuple[object, str]:
    """Return the exit code of a command line and all that it printed."""
    printed = io.StringIO()
    sys.argv = ["motcua", *line.split()]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            main()
        except SystemExit as done:
            return done.code, printed.getvalue()


def fault_of(command: str, extra: str) -> str:
    """Return what is wrong with a command in this environment, empty when nothing is."""
    line, expected = CHECKS[command]
    before = sorted(Path().iterdir())
    try:
        code, printed = run(line)
    except Exception as error:  # noqa: BLE001 - reported with the others
        return f"{line}: {error!r}"
    if not EXTRAS_BY_COMMAND[command] or extra in EXTRAS_BY_COMMAND[command]:
        return "" if (code, HINT in printed) == (expected, False) else f"{line}: exit {code}, not {expected}: {printed}"
    hinted = [f"{HINT}{name}]" for name in EXTRAS_BY_COMMAND[command]]
    is_told = code == 2 and all(hint in printed for hint in hinted)
    return "" if is_told and sorted(Path().iterdir()) == before else f"{line}: exit {code}, no hint: {printed}"


if __name__ == "__main__":
    Path("faulty.toml").write_text('MOTCUA_NOTHING = "x"\n', encoding="utf-8")
    lacking = sorted(set(EXTRAS_BY_COMMAND) ^ set(CHECKS))
    extra = sys.argv[1]
    faults = [found for command in EXTRAS_BY_COMMAND if (found := fault_of(command, extra))]
    assert not lacking, f"{lacking} are in one table only"  # noqa: S101
    print(*faults, sep="\n", end="\n" if faults else "")
    sys.exit(1 if faults else 0)
