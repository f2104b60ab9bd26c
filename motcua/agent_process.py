"""`motcua agent`: one device's sources, outbox and link in one small process; it must not read the inventory."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from edge_agent import config, metrics
from edge_agent.agent import Agent, AgentSettings
from edge_agent.agent_loop import AgentLoop
from edge_agent.clock import ClockWatch
from edge_agent.config import AgentConfig
from edge_agent.delivery import DeliveryPace
from edge_agent.log import Logger
from edge_agent.outbox import Outbox
from edge_agent.outbox.disk import RESERVE_BYTES
from edge_agent.remote.controls import AgentControls
from edge_agent.remote.remote_control import RemoteConfigFile, RemoteControl
from edge_agent.remote.signature import SignatureCheck
from edge_agent.sources import SourceContext
from edge_agent.sources.state import DeviceState
from edge_agent.sources.supervisor import Supervisor, event_subject
from edge_agent.watchdog import ProgressMonitor, SystemdNotifier
from motcua import system
from telemetry.errors import ConfigError, MotcuaError
from telemetry.mqtt.address import parse_broker_url

_log = Logger("edge_agent.device")
SHUTDOWN_TIMEOUT_S = 5.0
METRICS_EVERY_MS = 15_000
CERTIFICATE_EVERY_MS = 3_600_000
CERTIFICATE_ALARM_S = 14 * 86_400
"""A certificate that expires within this time raises an alarm."""


def run(file: Path, stop: threading.Event, notify: str = "", root: Path | None = None) -> None:
    """Run the agent until `stop` is set; `notify` is systemd's socket. Raises ConfigError, MotcuaError.

    With `root` the absolute paths in the configuration start there, as in a container or a mounted system.
    """
    agent_config = config.load(file, root)
    device = _build_device(file, agent_config)
    thread = threading.Thread(target=device.loop.run, name="agents", daemon=True)
    watchdog, progress = SystemdNotifier(notify), ProgressMonitor(device.agent)
    device.controls.start_sources()
    thread.start()
    outbox = device.agent.outbox
    _log.info("agent_started", device=agent_config.device, spool=outbox.outbox_id, pending=outbox.pending_count())
    watchdog.notify("READY=1")
    try:
        while True:
            device.step(system.monotonic_ms())
            if not thread.is_alive():
                raise MotcuaError("the agent's loop ended; see the message above, then start the agent again")
            if not progress.stall_reason(system.monotonic_ms()):
                watchdog.notify("WATCHDOG=1")
            if stop.wait(1):
                return
    finally:
        watchdog.notify("STOPPING=1")
        device.supervisor.stop_all(SHUTDOWN_TIMEOUT_S)
        device.loop.stop()
        thread.join(SHUTDOWN_TIMEOUT_S)


def describe_configuration(file: Path, root: Path | None = None) -> str:
    """Return the device, its broker and its sources, one a line, without starting anything. Raises ConfigError."""
    agent_config = config.load(file, root)
    broker = _agent_settings(file, agent_config).broker
    sources = [
        f"  {source.name}" + "".join(f" {key}={value}" for key, value in source.values.items() if key != "name")
        for source in agent_config.sources
    ]
    files = len(config.drop_in_files(file))
    where = f"{broker.host}:{broker.port}{' with TLS' if broker.tls else ''}"
    head = f"{agent_config.device} at {where}: {len(sources)} sources, {files} drop-in files, no fault"
    return "\n".join([head, *sources])


@dataclass(slots=True)
class DeviceRuntime:
    """The running parts of an agent; `step` is called once a second."""

    config: AgentConfig
    certificate: str
    agent: Agent
    loop: AgentLoop
    supervisor: Supervisor
    controls: AgentControls
    _metrics_due_at: int = 0
    _certificate_due_at: int = 0
    _not_after: float | None = None

    def step(self, now: int) -> None:
        """Supervise the sources, check the certificate's expiry, write the metrics file."""
        self.supervisor.step()
        if self.certificate and now >= self._certificate_due_at:
            self._certificate_due_at = now + CERTIFICATE_EVERY_MS
            self._check_certificate()
        if now >= self._metrics_due_at:
            self._metrics_due_at = now + METRICS_EVERY_MS
            self._write_metrics()

    def _check_certificate(self) -> None:
        self._not_after = metrics.certificate_not_after(self.certificate)
        if self._not_after is not None and self._not_after - time.time() < CERTIFICATE_ALARM_S:
            self.agent.alarms.raise_alarm("certificate_expiring")

    def metrics_text(self) -> str:
        """Return the metrics as they are now."""
        faults = self.supervisor.fault_counts()
        return metrics.render_metrics(metrics.metric_families(self.agent, faults, self._not_after))

    def _write_metrics(self) -> None:
        if self.config.metrics_file is None or not self.controls.metrics_enabled:
            return
        try:
            metrics.write_metrics_file(self.config.metrics_file, self.metrics_text())
        except (OSError, sqlite3.Error) as error:
            _log.warning("metrics_not_written", file=str(self.config.metrics_file), error=str(error))


def _build_device(file: Path, agent_config: AgentConfig) -> DeviceRuntime:
    settings = _agent_settings(file, agent_config)
    clock = system.watch_clock(agent_config.clock_hold_s * 1000)
    outbox = _open_outbox(agent_config, clock)
    supervisor = Supervisor(
        outbox,
        lambda fault, name: agent.alarms.raise_alarm(fault, event_subject(name)),
        system.monotonic_ms,
        random.random,
    )
    services = frozenset(agent_config.services)
    context = SourceContext(
        agent_config.device,
        file.parent,
        agent_config.every_ms,
        system.wall_ms,
        DeviceState(),
        services,
        lambda alarm, name: agent.alarms.raise_alarm(alarm, event_subject(name)),
    )
    controls = AgentControls(agent_config, supervisor, context, lambda: agent)
    remote_file = agent_config.outbox.with_name(f"{agent_config.outbox.name}.remote.json")
    try:
        signatures = SignatureCheck(agent_config.centre, agent_config.device, agent_config.signers)
        remote = RemoteControl(controls, outbox, RemoteConfigFile(remote_file), system.wall_ms, signatures)
    except OSError as error:
        raise MotcuaError(f"{remote_file}: {error}; make its folder writable") from error
    agent = Agent(settings, outbox, system.agent_environment(clock=clock), remote)
    remote.start()
    loop = AgentLoop(system.monotonic_ms)
    loop.add(agent)
    device = DeviceRuntime(agent_config, settings.broker.cert, agent, loop, supervisor, controls)
    if agent_config.metrics_port:
        metrics.serve_metrics(agent_config.metrics_port, device.metrics_text)
    return device


def _agent_settings(file: Path, agent_config: AgentConfig) -> AgentSettings:
    ca, cert, key = (str(file.parent / name) if name else "" for name in agent_config.tls)
    broker_address = parse_broker_url(agent_config.mqtt, ca, cert, key)
    return AgentSettings(
        agent_config.device,
        agent_config.centre,
        broker_address,
        pace=DeliveryPace(drain_rows_per_s=agent_config.drain_rows_per_s),
        alarms_enabled=True,
    )


def _open_outbox(agent_config: AgentConfig, clock: ClockWatch) -> Outbox:
    try:
        return Outbox(agent_config.outbox, system.new_id, agent_config.cap_mb * 1024 * 1024, clock.stamp, RESERVE_BYTES)
    except (sqlite3.Error, OSError) as error:
        raise MotcuaError(
            f"outbox {agent_config.outbox}: {error}; make its folder writable, and check that no other "
            f"agent uses the file"
        ) from error


def main(file: Path, root: Path | None = None) -> int:
    """Run the command without typer and structlog, which cost a small device memory; returns the exit code."""
    from motcua.startup import configure_agent_logging, until_stopped
    from telemetry.config import load_settings

    try:
        configure_agent_logging(load_settings(os.environ).log)
        with until_stopped() as stop:
            run(file, stop, os.environ.get("NOTIFY_SOCKET", ""), root)
    except ConfigError as error:
        for fault in error.faults:
            print(f"motcua: {fault}", file=sys.stderr)
        return 2
    except MotcuaError as error:
        print(f"motcua: {error}", file=sys.stderr)
        return 1
    return 0
