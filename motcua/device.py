"""`motcua agent`: one device's sources, outbox and link in one small process; it must not read the inventory."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent import config
from edge_agent.agent import Agent, AgentSettings
from edge_agent.fleet import Fleet
from edge_agent.log import Log
from edge_agent.outbox import Outbox
from edge_agent.sources.state import DeviceState
from motcua import clocks
from telemetry.core.backoff import STABLE_MS, full_jitter
from telemetry.errors import ConfigError, MotcuaError
from telemetry.mqtt import address

if TYPE_CHECKING:
    from edge_agent.config import AgentConfig, SourceConfig
    from edge_agent.sources import Source

_log = Log("edge_agent.device")
LONGEST_WAIT_MS = 60_000
GOODBYE_S = 5.0
"""How long a source may take to end; one in the middle of a slow probe is left behind."""


def run(file: Path, stop: threading.Event) -> None:
    """Run the agent until `stop`. Raises ConfigError, MotcuaError."""
    told = config.load(file)
    settings = _settings(file, told)
    outbox = _outbox(told)
    state = DeviceState()
    sources = [_source(file, told, source, state) for source in told.sources]
    fleet = Fleet(clocks.monotonic_ms)
    fleet.add(Agent(settings, outbox, clocks.surroundings()))
    loop = threading.Thread(target=fleet.run, name="fleet", daemon=True)
    loop.start()
    _log.info("agent_started", device=told.device, spool=outbox.spool, pending=outbox.pending())
    threads = [_start(source, outbox, stop) for source in sources]
    try:
        while not stop.wait(1):
            if not loop.is_alive():
                raise MotcuaError("the agent's loop ended; see its message above, then start it again")
    finally:
        _end(stop, threads, fleet, loop)


def _end(stop: threading.Event, threads: list[threading.Thread], fleet: Fleet, loop: threading.Thread) -> None:
    """Let sources commit, then say good-bye to the broker."""
    stop.set()
    deadline = time.monotonic() + GOODBYE_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    fleet.stop()
    loop.join(GOODBYE_S)


def _settings(file: Path, told: AgentConfig) -> AgentSettings:
    ca, cert, key = (str(file.parent / name) if name else "" for name in told.tls)
    return AgentSettings(told.device, told.centre, address(told.mqtt, ca, cert, key))


def _outbox(told: AgentConfig) -> Outbox:
    try:
        return Outbox(told.outbox, clocks.new_id, told.cap_mb * 1024 * 1024)
    except (sqlite3.Error, OSError) as error:
        raise MotcuaError(
            f"outbox {told.outbox}: {error}; make its folder writable, and see that no other agent uses the file"
        ) from error


def _source(file: Path, told: AgentConfig, source: SourceConfig, state: DeviceState) -> Source:
    """Return a configured source; each kind's modules are loaded only when it is used."""
    values = source.values
    every = int(values.get("every_ms", told.every_ms))
    if source.kind == "host":
        from edge_agent.sources.host import HostSource

        return HostSource(clocks.wall_ms, every, state)
    if source.kind == "probe":
        from edge_agent.sources.probe import Probe, ProbeSource

        probe = Probe(values["system"], values["probe"], values["target"])
        phase = phase_of(f"{told.device}/{probe.system}", every)
        return ProbeSource(probe, clocks.wall_ms, every, phase, f"probe:{probe.system}")
    if source.kind == "file":
        from edge_agent.sources.file import FileSource

        return FileSource(file.parent / values["path"], state, f"file:{values['path']}")
    from edge_agent.sources.local_http import HttpSource

    return HttpSource(int(values["port"]), state, clocks.wall_ms)


def phase_of(name: str, every_ms: int) -> int:
    """Return when in its interval a device probes, so that a fleet never probes all at once."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % every_ms


def _start(source: Source, outbox: Outbox, stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=keep_going, args=(source, outbox, stop), name=source.name, daemon=True)
    thread.start()
    return thread


def keep_going(source: Source, outbox: Outbox, stop: threading.Event) -> None:
    """Run a source, and again after a fault, later and later; other sources never notice."""
    attempt = 0
    while not stop.is_set():
        began = clocks.monotonic_ms()
        try:
            source.run(outbox, stop)
            return
        except Exception as error:  # noqa: BLE001
            if stop.is_set():
                return
            attempt = 0 if clocks.monotonic_ms() - began > STABLE_MS else attempt
            wait = 200 + full_jitter(attempt, random.random(), cap_ms=LONGEST_WAIT_MS)  # noqa: S311
            _log.exception("source_fault", source=source.name, error=type(error).__name__, again_in_ms=wait)
            attempt += 1
            stop.wait(wait / 1000)


def main(file: Path) -> int:
    """Be the command without typer and structlog, which cost a small device memory; returns the exit code."""
    from motcua.startup import agents_log_to, until_stopped
    from telemetry.config import settings

    try:
        agents_log_to(settings(os.environ).log)
        with until_stopped() as stop:
            run(file, stop)
    except ConfigError as error:
        for fault in error.faults:
            print(f"motcua: {fault}", file=sys.stderr)
        return 2
    except MotcuaError as error:
        print(f"motcua: {error}", file=sys.stderr)
        return 1
    return 0
