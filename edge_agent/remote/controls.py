"""What remote control may do with this agent: pace, cap, intervals, restarts, flush, figures; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.sources.builder import build, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.agent import Agent
    from edge_agent.config import AgentConfig, SourceConfig
    from edge_agent.remote.settings import Settings
    from edge_agent.sources.builder import Site
    from edge_agent.sources.supervisor import Supervisor
    from telemetry.core.protocol.agent_events import AgentDiagnostics

MB = 1024 * 1024


@dataclass(slots=True)
class Controls:
    """The running agent as `edge_agent.remote.Controlled` wants it; `metrics` says whether figures are written."""

    told: AgentConfig
    agent: Agent
    supervisor: Supervisor
    site: Site
    metrics: bool = True
    _every: dict[str, int | None] = field(default_factory=dict)

    def start_sources(self) -> None:
        """Start every source as `agent.toml` says, unless settings were applied before."""
        for source in self.told.sources:
            name = name_of(source.kind, source.values)
            if name not in self._every:
                self._start(name, source, None)

    def apply(self, settings: Settings) -> None:
        """Have exactly these settings in force; a source is started afresh only when its interval changes."""
        self.agent.tune(settings.linger_ms, settings.drain_rows_per_s)
        self.agent.outbox.limit((settings.cap_mb or self.told.cap_mb) * MB)
        self.metrics = settings.metrics is not False
        for source in self.told.sources:
            name = name_of(source.kind, source.values)
            own = settings.sources.get(name)
            every = own.every_ms if own else None
            if every is None and "every_ms" not in source.values:
                every = settings.every_ms
            if name not in self._every or self._every[name] != every:
                self._start(name, source, every)

    def _start(self, name: str, source: SourceConfig, every_ms: int | None) -> None:
        values = source.values if every_ms is None else {**source.values, "every_ms": every_ms}
        self._every[name] = every_ms
        self.supervisor.add(name, lambda: build(source.kind, values, self.site))

    def linked(self) -> bool:
        """Tell whether the connection to the broker stands."""
        return self.agent.link.up

    def sources(self) -> Sequence[str]:
        """Return the sources' names."""
        return self.supervisor.names()

    def failing(self) -> frozenset[str]:
        """Return the names of sources that do not run, or failed lately."""
        return self.supervisor.failing()

    def used_mb(self) -> int:
        """Return how large the outbox is now, MB, rounded up."""
        return -(-self.agent.outbox.size_bytes // MB)

    def restart(self, source: str) -> bool:
        """Restart a source; False when there is none of that name."""
        return self.supervisor.restart(source)

    def flush(self) -> None:
        """Send at once what waits."""
        self.agent.flush()

    def diagnostics(self) -> AgentDiagnostics:
        """Return the agent's own figures."""
        return self.agent.diagnostics(sources=len(self.supervisor.names()))
