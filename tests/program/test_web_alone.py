"""The `api` role in a process of its own looks for garbage seldom; the demo, which hosts all roles, does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SERVED = """
import gc, os, signal, sys, threading, time, urllib.request
from pathlib import Path
from motcua import web
from telemetry.inventory import default_path, load
from telemetry.store.sqlite import SqliteStore

sock = web.bind_socket(("127.0.0.1", 0))
listen = sock.getsockname()
sock.close()

def look():
    deadline = time.monotonic() + 60
    while gc.get_threshold() != web.GC_THRESHOLDS and time.monotonic() < deadline:
        time.sleep(0.05)
    with urllib.request.urlopen(f"http://127.0.0.1:{listen[1]}/healthz", timeout=60) as answer:
        print(answer.status, gc.get_threshold(), gc.get_freeze_count() > 10_000, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

world = load(default_path())
threading.Thread(target=look, daemon=True).start()
web.run_api(SqliteStore(Path(sys.argv[1])), lambda: world, lambda: 1_795_404_000_000, listen)
"""


def test_what_the_api_started_with_is_never_looked_at_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVED, str(tmp_path / "store.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "200 (50000, 20, 50) True\n", done.stderr


def test_the_api_announces_its_address_only_once_the_port_is_its_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = ["-m", "motcua", "api", "--listen", address, "--store", f"sqlite:///{tmp_path}/store.db"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, timeout=60, check=False, env=env
        )
    assert done.returncode == 2
    assert f"cannot listen on {address}" in done.stderr
    assert "serving" not in done.stderr
