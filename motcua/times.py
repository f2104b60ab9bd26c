"""Times as people type them on the command line. Pure."""

from __future__ import annotations

from datetime import datetime

from telemetry.core.calendar.windows import Window, to_ms
from telemetry.errors import ConfigError, Fault

OPEN_END_MS = 1 << 52


def parse_window(start: str | None, end: str | None) -> Window | None:
    """Return the window, None when neither end is given. Raises ConfigError."""
    if start is None and end is None:
        return None
    return Window(_parse_ms("--from", start, 0), _parse_ms("--to", end, OPEN_END_MS))


def _parse_ms(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return to_ms(datetime.fromisoformat(text))
    except ValueError as error:
        remedy = "write e.g. 2026-10-01T00:00:00+07:00"
        raise ConfigError([Fault("command line", 0, name, f"not a time: {text!r} ({error})", remedy)]) from error
