"""What every command does first: settings, logging, the inventory, and a signal for Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from telemetry.config import Settings
    from telemetry.core.inventory import Inventory


def settings_of(config: Path | None, **given: str | None) -> Settings:
    """Read the environment and the file, then what the command line gives. Raises ConfigError."""
    from telemetry.config import settings

    values: dict[str, object] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError([Fault(str(config), 0, "--config", str(error), "name a readable TOML file")]) from error
    values |= {name: value for name, value in given.items() if value is not None}
    found = settings(os.environ, values, str(config or ""))
    log_to(found.log)
    return found


def log_to(level: str) -> None:
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
        wrapper_class=structlog.make_filtering_bound_logger(number_of(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    agents_log_to(level)


def agents_log_to(level: str) -> None:
    """Do the same for agents, which log without structlog."""
    from edge_agent.log import to_stderr

    to_stderr(number_of(level), as_json=level.endswith("json"))


def number_of(level: str) -> int:
    """Return the standard library's number of `info`, `info-json` and the like."""
    return int(getattr(logging, level.removesuffix("json").strip(":- ").upper() or "INFO", logging.INFO))


def inventory_of(found: Settings, extra: str | None = None) -> Callable[[], Inventory]:
    """Load the inventory now, so that a fault stops the command, and follow its files afterwards."""
    from edge_agent import mapping
    from telemetry import inventory

    names = [*mapping.shipped(), *([extra] if extra and extra not in mapping.shipped() else [])]
    imports = {centre.id: centre for centre in (mapping.centre_of(mapping.load_mapping(name)) for name in names)}
    folder = found.inventory or inventory.default_path()
    world = inventory.Reloading(folder, imports=tuple(imports.values()))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, lambda *_: world.expire())
    return world.current


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """Give a signal that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    previous = [(s, signal.signal(s, lambda *_: stop.set())) for s in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield stop
    finally:
        for number, handler in previous:
            signal.signal(number, handler)
