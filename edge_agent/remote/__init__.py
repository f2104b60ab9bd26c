"""What operators may have an agent do from afar: settings and commands on allow-lists; it must never run a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.remote.settings import RemoteSettings
    from telemetry.core.protocol.events import AgentDiagnostics, Event


class ControllableAgent(Protocol):
    """What remote control asks of an agent. Methods are called in the fleet's thread and must not wait."""

    def apply_settings(self, settings: RemoteSettings) -> None:
        """Have exactly these settings in force; what they leave out is as in `agent.toml`. May raise anything."""

    def is_connected(self) -> bool:
        """Tell whether the connection to the broker stands."""

    def source_names(self) -> Sequence[str]:
        """Return the sources' names."""

    def failing_sources(self) -> frozenset[str]:
        """Return the names of sources that do not run, or failed lately."""

    def outbox_size_mb(self) -> int:
        """Return how large the outbox is now, MB, rounded up."""

    def restart_source(self, source: str) -> bool:
        """Restart a source; False when there is none of that name."""

    def flush(self) -> None:
        """Send at once what waits."""

    def diagnostics_event(self) -> AgentDiagnostics:
        """Return the agent's own figures."""


class AnswerLog(Protocol):
    """The outbox as far as remote control writes and reads it."""

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        """Keep events with a cursor in one commit; returns the first and last row number."""

    def cursor(self, source: str) -> str:
        """Return the cursor, empty at first."""

    def rows_by_number(self, numbers: Sequence[int]) -> Sequence[object]:
        """Return those of the numbered rows that have no receipt yet."""
