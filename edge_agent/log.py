"""The agent's log by the standard library: structlog's rich is too large for a device. It must not log event contents.

Calls look like structlog's, so that messages have the same form in every role.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Logger:
    """One module's log."""

    name: str

    def info(self, event: str, **fields: object) -> None:
        """Log normal operation."""
        self._emit(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log a condition that may need attention."""
        self._emit(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a fault that needs attention."""
        self._emit(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log a fault with the traceback of the current exception."""
        self._emit(logging.ERROR, event, fields, with_traceback=True)

    def _emit(self, level: int, event: str, fields: dict[str, object], *, with_traceback: bool = False) -> None:
        logging.getLogger(self.name).log(level, event, exc_info=with_traceback, extra={"fields": fields})


class _LineFormatter(logging.Formatter):
    """`time [level] event key=value …`, or one JSON object a line."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        fields: dict[str, object] = dict(getattr(record, "fields", {}))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        level, event = record.levelname.lower(), record.getMessage()
        if self._as_json:
            return json.dumps({**fields, "event": event, "level": level, "timestamp": when}, default=str)
        traceback_text = fields.pop("exception", None)
        pairs = " ".join(f"{key}={value}" for key, value in fields.items())
        return f"{when} [{level:<8}] {event:<30} {pairs}" + (f"\n{traceback_text}" if traceback_text else "")


def log_to_stderr(level: int, *, as_json: bool = False) -> None:
    """Write the agent's messages from this level on to stderr; a repeated call replaces the handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter(as_json=as_json))
    logger = logging.getLogger("edge_agent")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)
