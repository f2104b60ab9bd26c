"""`motcua agent`: one device's sources, outbox and link in one small process; it must not read the inventory."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent import config, metrics
from edge_agent.agent import Agent, AgentSettings
from edge_agent.clock import ClockWatch
from edge_agent.config import AgentConfig
from edge_agent.delivery import Pace
from edge_agent.fleet import Fleet
from edge_agent.log import Log
from edge_agent.outbox import Outbox
from edge_agent.outbox.disk import RESERVE_BYTES
from edge_agent.remote.config_file import StandingFile
from edge_agent.remote.controls import Controls
from edge_agent.remote.remote_control import RemoteControl
from edge_agent.sources.builder import Site
from edge_agent.sources.state import DeviceState
from edge_agent.sources.supervisor import Supervisor, subject_of
from edge_agent.watchdog import Notifier, Progress
from motcua import system
from telemetry.errors import ConfigError, MotcuaError
from telemetry.mqtt.link import address

_log = Log("edge_agent.device")
GOODBYE_S = 5.0
METRICS_EVERY_MS = 15_000
CERTIFICATE_EVERY_MS = 3_600_000
CERTIFICATE_LEFT_S = 14 * 86_400
"""A certificate that ends within this time is an alarm."""


def run(file: Path, stop: threading.Event, notify: str = "") -> None:
    """Run the agent until `stop`; `notify` is systemd's socket. Raises ConfigError, MotcuaError."""
    told = config.load(file)
    device = _built(file, told)
    loop = threading.Thread(target=device.fleet.run, name="fleet", daemon=True)
    watchdog, progress = Notifier(notify), Progress(device.agent)
    device.controls.start_sources()
    loop.start()
    outbox = device.agent.outbox
    _log.info("agent_started", device=told.device, spool=outbox.spool, pending=outbox.pending())
    watchdog.tell("READY=1")
    try:
        while True:
            device.look(system.monotonic_ms())
            if not loop.is_alive():
                raise MotcuaError("the agent's loop ended; see its message above, then start it again")
            if not progress.fault(system.monotonic_ms()):
                watchdog.tell("WATCHDOG=1")
            if stop.wait(1):
                return
    finally:
        watchdog.tell("STOPPING=1")
        device.supervisor.end(GOODBYE_S)
        device.fleet.stop()
        loop.join(GOODBYE_S)


@dataclass(slots=True)
class Device:
    """The running parts, looked after once a second."""

    told: AgentConfig
    certificate: str
    agent: Agent
    fleet: Fleet
    supervisor: Supervisor
    controls: Controls
    figures: str = ""
    _figures_at: int = 0
    _certificate_at: int = 0
    _not_after: float | None = field(default=None)

    def look(self, now: int) -> None:
        """Supervise sources, read the certificate's end, write the figures."""
        self.supervisor.step()
        if self.certificate and now >= self._certificate_at:
            self._certificate_at = now + CERTIFICATE_EVERY_MS
            self._look_at_certificate()
        if now >= self._figures_at:
            self._figures_at = now + METRICS_EVERY_MS
            self._write_figures()

    def _look_at_certificate(self) -> None:
        self._not_after = metrics.not_after(self.certificate)
        if self._not_after is not None and self._not_after - time.time() < CERTIFICATE_LEFT_S:
            self.agent.alarms.raised("certificate_expiring")

    def text(self) -> str:
        """Return the figures as they are now."""
        return metrics.text(metrics.families(self.agent, self.supervisor.faults(), self._not_after))

    def _write_figures(self) -> None:
        if self.told.metrics_file is None or not self.controls.metrics:
            return
        try:
            metrics.write(self.told.metrics_file, self.text())
        except (OSError, sqlite3.Error) as error:
            _log.warning("metrics_not_written", file=str(self.told.metrics_file), error=str(error))


def _built(file: Path, told: AgentConfig) -> Device:
    settings = _settings(file, told)
    clock = system.watch(told.clock_hold_s * 1000)
    outbox = _outbox(told, clock)
    agent = Agent(settings, outbox, system.surroundings(clock=clock))
    supervisor = Supervisor(
        outbox, lambda fault, name: agent.alarms.raised(fault, subject_of(name)), system.monotonic_ms, random.random
    )
    site = Site(told.device, file.parent, told.every_ms, system.wall_ms, DeviceState())
    controls = Controls(told, agent, supervisor, site)
    _remote(told, agent, controls)
    fleet = Fleet(system.monotonic_ms)
    fleet.add(agent)
    device = Device(told, settings.broker.cert, agent, fleet, supervisor, controls)
    if told.metrics_port:
        from edge_agent.metrics_server import serve

        serve(told.metrics_port, device.text)
    return device


def _remote(told: AgentConfig, agent: Agent, controls: Controls) -> None:
    """Follow configuration and commands; what was committed earlier is in force before the first source starts."""
    try:
        kept = StandingFile(told.outbox.with_name(f"{told.outbox.name}.remote.json"))
        remote = RemoteControl(controls, agent.outbox, kept, system.wall_ms)
        agent.attach(remote)
        remote.start()
    except OSError as error:
        raise MotcuaError(f"{told.outbox}.remote.json: {error}; make its folder writable") from error


def _settings(file: Path, told: AgentConfig) -> AgentSettings:
    ca, cert, key = (str(file.parent / name) if name else "" for name in told.tls)
    where = address(told.mqtt, ca, cert, key)
    return AgentSettings(
        told.device, told.centre, where, pace=Pace(drain_rows_per_s=told.drain_rows_per_s), alarms=True
    )


def _outbox(told: AgentConfig, clock: ClockWatch) -> Outbox:
    try:
        return Outbox(told.outbox, system.new_id, told.cap_mb * 1024 * 1024, clock.stamp, RESERVE_BYTES)
    except (sqlite3.Error, OSError) as error:
        raise MotcuaError(
            f"outbox {told.outbox}: {error}; make its folder writable, and see that no other agent uses the file"
        ) from error


def main(file: Path) -> int:
    """Be the command without typer and structlog, which cost a small device memory; returns the exit code."""
    from motcua.startup import agents_log_to, until_stopped
    from telemetry.config import settings

    try:
        agents_log_to(settings(os.environ).log)
        with until_stopped() as stop:
            run(file, stop, os.environ.get("NOTIFY_SOCKET", ""))
    except ConfigError as error:
        for fault in error.faults:
            print(f"motcua: {fault}", file=sys.stderr)
        return 2
    except MotcuaError as error:
        print(f"motcua: {error}", file=sys.stderr)
        return 1
    return 0
