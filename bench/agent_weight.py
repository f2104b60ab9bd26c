"""Memory and processor share of one real agent that sends its host's metrics every second to broker and ingest.

Run: python -m bench.agent_weight [--seconds 20]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from bench.ingest_rate import _free_port, _start, _stop, _until_listening
from bench.machine import describe
from telemetry.store.sqlite import SqliteStore

DEVICE = "vn83-83-gateway1"
SETTLE_S = 5.0
"""Start-up, which the processor share leaves out."""


def agent_file(folder: Path, url: str) -> Path:
    """Write an agent.toml with the host source at its fastest."""
    path = folder / "agent.toml"
    path.write_text(
        f'device = "{DEVICE}"\ncentre = "vn83-83"\nkind = "gateway"\nevery_ms = 1000\nmqtt = "{url}"\n'
        'outbox = "outbox.db"\n\n[[source]]\nkind = "host"\nevery_ms = 1000\n',
        encoding="utf-8",
    )
    return path


def rss_mb(pid: int) -> float:
    """Return VmRSS, MB of 1,000,000 bytes; all of its shared pages are counted as the agent's own."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(kib) * 1024 / 1e6, 1)


def cpu_s(pid: int) -> float:
    """Return processor seconds used so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def measure(seconds: float = 20.0) -> dict[str, float]:
    """Run broker, ingest and agent as processes, and weigh the agent after so many seconds."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="motcua-bench-", dir=Path()))
        folder, port = Path(name), _free_port()
        url = f"mqtt://127.0.0.1:{port}"
        environ = {k: v for k, v in os.environ.items() if not k.startswith("MOTCUA_")} | {"MOTCUA_LOG": "error"}
        stack.callback(_stop, _start(environ, "broker", "--listen", f"127.0.0.1:{port}"))
        _until_listening(port)
        stack.callback(_stop, _start(environ, "ingest", "--store", f"sqlite:///{folder / 'store.db'}", "--mqtt", url))
        agent = _start(environ, "agent", "--config", str(agent_file(folder, url)))
        stack.callback(_stop, agent)
        time.sleep(SETTLE_S)
        if agent.poll() is not None:
            raise SystemExit("the agent ended; see its message above")
        before, began = cpu_s(agent.pid), time.perf_counter()
        time.sleep(max(1.0, seconds - SETTLE_S))
        share = (cpu_s(agent.pid) - before) / (time.perf_counter() - began)
        return {
            "rss_mb": rss_mb(agent.pid),
            "cpu_pct": round(share * 100, 2),
            "seconds": seconds,
            "stored": SqliteStore(folder / "store.db").count(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    print(json.dumps({"machine": describe(), "agent": measure(parser.parse_args().seconds)}, indent=2))


if __name__ == "__main__":
    main()
