"""Shows the progress of long work on a terminal; silent elsewhere. It must not slow what is measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

_console = Console(stderr=True)
SHOW_EVERY_S = 0.25


class ProgressBar:
    """A progress bar that redraws itself at most four times a second."""

    def __init__(self, what: str, total: float) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        quiet = not _console.is_terminal
        self._progress = Progress(*columns, console=_console, transient=True, auto_refresh=False, disable=quiet)
        self._task = self._progress.add_task(what, total=total)
        self._gained, self._shown_at = 0.0, 0.0

    def __enter__(self) -> ProgressBar:  # noqa: PYI034
        """Show it."""
        self._progress.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        """Remove it."""
        self._progress.stop()

    def step(self, gained: float = 1) -> None:
        """Advance it."""
        self._gained += gained
        now = time.perf_counter()
        if now - self._shown_at >= SHOW_EVERY_S:
            self._progress.update(self._task, advance=self._gained)
            self._progress.refresh()
            self._gained, self._shown_at = 0.0, now


def print_message(text: str) -> None:
    """Print a result, or what begins now, to the terminal."""
    _console.print(text, highlight=False, soft_wrap=True)
