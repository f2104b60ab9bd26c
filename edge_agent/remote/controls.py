"""The actions of remote control on an agent: pace, cap, intervals, restarts, flush, diagnostics; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.sources.builder import build_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.agent import Agent
    from edge_agent.config import AgentConfig, SourceConfig
    from edge_agent.remote.settings import RemoteSettings
    from edge_agent.sources import SourceContext
    from edge_agent.sources.supervisor import Supervisor
    from telemetry.core.protocol.events import AgentDiagnostics

BYTES_PER_MB = 1024 * 1024


@dataclass(slots=True)
class AgentControls:
    """The running agent, as remote control uses it: methods are called in the loop's thread and must not block.

    `agent` returns the agent, which is built after this object; `metrics_enabled`: whether the metrics file is written.
    """

    config: AgentConfig
    supervisor: Supervisor
    context: SourceContext
    agent: Callable[[], Agent]
    metrics_enabled: bool = True
    _intervals: dict[str, int | None] = field(default_factory=dict)

    def start_sources(self) -> None:
        """Start every source as `agent.toml` configures it, unless settings were applied before."""
        for source in self.config.sources:
            name = source.name
            if name not in self._intervals:
                self._start_source(name, source, None)

    def apply_settings(self, settings: RemoteSettings) -> None:
        """Apply exactly these settings; omitted ones are as in `agent.toml`. May raise any exception.

        A source is restarted only when its interval changes.
        """
        agent = self.agent()
        agent.set_pace(settings.linger_ms, settings.drain_rows_per_s)
        agent.outbox.set_cap((settings.cap_mb or self.config.cap_mb) * BYTES_PER_MB)
        self.metrics_enabled = settings.metrics is not False
        for source in self.config.sources:
            name = source.name
            source_settings = settings.sources.get(name)
            every_ms = source_settings.every_ms if source_settings else None
            if every_ms is None and "every_ms" not in source.values:
                every_ms = settings.every_ms
            if name not in self._intervals or self._intervals[name] != every_ms:
                self._start_source(name, source, every_ms)

    def _start_source(self, name: str, source: SourceConfig, every_ms: int | None) -> None:
        values = source.values if every_ms is None else {**source.values, "every_ms": every_ms}
        self._intervals[name] = every_ms
        self.supervisor.add(name, lambda: build_source(source.kind, values, self.context))

    def is_connected(self) -> bool:
        """Return whether the agent is connected to the broker."""
        return self.agent().link.is_connected

    def source_names(self) -> list[str]:
        """Return the sources' names."""
        return self.supervisor.source_names()

    def failing_sources(self) -> frozenset[str]:
        """Return the names of sources that do not run or failed recently."""
        return self.supervisor.failing_sources()

    def outbox_size_mb(self) -> int:
        """Return how large the outbox is now, MB, rounded up."""
        return -(-self.agent().outbox.size_bytes // BYTES_PER_MB)

    def restart_source(self, source: str) -> bool:
        """Restart a source; False when none has that name."""
        return self.supervisor.restart(source)

    def flush(self) -> None:
        """Send all waiting rows now."""
        self.agent().flush()

    def diagnostics_event(self) -> AgentDiagnostics:
        """Return the agent's own figures."""
        return self.agent().diagnostics_event(sources=len(self.supervisor.source_names()))
