"""What every command does first: settings, logging, inventory, times of the command line, a stop event for Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault
from telemetry.toml_lines import TomlSyntaxError, parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from telemetry.config import ServerSettings
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre, Inventory

OPEN_END_MS = 1 << 52


def load_settings(config: Path | None, **overrides: str | None) -> ServerSettings:
    """Read settings from the environment, the file and the command line; later ones win. Raises ConfigError."""
    from telemetry.config import load_settings
    from telemetry.text_file import read_text_file

    values: dict[str, object] = {}
    if config is not None:
        try:
            values = parse_toml(read_text_file(config))
        except TomlSyntaxError as error:
            fault = Fault(str(config), error.line, "syntax", f"is not TOML: {error.problem}", "correct that line")
            raise ConfigError([fault]) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Fault(str(config), 0, "--config", str(error), "give a readable TOML file")]) from error
    values |= {name: value for name, value in overrides.items() if value is not None}
    loaded = load_settings(os.environ, values, str(config or ""))
    configure_logging(loaded.log)
    return loaded


def configure_logging(level: str) -> None:
    """Log to stderr from this level on; `info-json` writes JSON."""
    import structlog

    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if level.endswith("json"):
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level_number(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    configure_agent_logging(level)


def configure_agent_logging(level: str) -> None:
    """Configure logging of agents, which do not use structlog."""
    from edge_agent.log import log_to_stderr

    log_to_stderr(level_number(level), as_json=level.endswith("json"))


def level_number(level: str) -> int:
    """Return the standard library's number of `info`, `info-json` and the like."""
    return int(getattr(logging, level.removesuffix("json").strip(":- ").upper() or "INFO", logging.INFO))


def load_inventory(settings: ServerSettings, logs: Iterable[Centre] = ()) -> Callable[[], Inventory]:
    """Load the inventory now, so that a fault stops the command, and reload it when its files change.

    `logs` are the centres of imported logs; those of the shipped mappings are always declared.
    """
    from edge_agent.mapping import document, importer
    from telemetry import inventory

    names = document.shipped_mappings()
    imports = {centre.id: centre for centre in (importer.import_centre(document.load_mapping(name)) for name in names)}
    imports |= {centre.id: centre for centre in logs}
    folder = settings.inventory or inventory.default_path()
    reloading = inventory.ReloadingInventory(folder, imports=tuple(imports.values()))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, lambda *_: reloading.invalidate())
    return reloading.current


def stored_logs(settings: ServerSettings) -> tuple[Centre, ...]:
    """Return the centres of the logs that the store has, so that they are folded without their mappings.

    Empty while there is no store; a log that an earlier version imported through its own mapping is not among them.
    """
    from telemetry import wiring
    from telemetry.errors import StoreUnavailable
    from telemetry.queries.network import read_log_centre

    path = Path(settings.store.removeprefix("sqlite:///"))
    if settings.store.startswith("sqlite:///") and not path.exists():
        return ()
    try:
        with closing(wiring.open_store(settings.store, settings.store_token)) as store:
            centres = [read_log_centre(row.body) for row in store.live_rows()]
    except StoreUnavailable:
        return ()
    return tuple(centre for centre in centres if centre is not None)


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """Return an event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    previous = [(s, signal.signal(s, lambda *_: stop.set())) for s in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield stop
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def parse_window(start: str | None, end: str | None) -> Window | None:
    """Return the window, None when neither end is given. Raises ConfigError."""
    from telemetry.core.calendar.windows import Window

    if start is None and end is None:
        return None
    return Window(_parse_ms("--from", start, 0), _parse_ms("--to", end, OPEN_END_MS))


def parse_time(option: str, text: str) -> datetime:
    """Return a day or time of the command line; without an offset it is naive: local time of whoever it is for.

    Raises ConfigError.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "write e.g. 2026-10-01 or 2026-10-01T00:00:00+07:00"
        raise ConfigError([Fault("command line", 0, option, f"not a time: {text!r} ({error})", remedy)]) from error


def _parse_ms(name: str, text: str | None, default: int) -> int:
    from telemetry.core.calendar.windows import to_ms

    if text is None:
        return default
    try:
        return to_ms(datetime.fromisoformat(text))
    except ValueError as error:
        remedy = "write e.g. 2026-10-01T00:00:00+07:00"
        raise ConfigError([Fault("command line", 0, name, f"not a time: {text!r} ({error})", remedy)]) from error
