"""Finding the lines that a server will never take, by halving. It must not write but through what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telemetry.store.influx.server import WriteRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_WRITES: Final = 400
"""Most writes in one search, so that it ends well before rollup's overlap."""


def find_rejected(write: Callable[[bytes], None], lines: Sequence[bytes]) -> tuple[list[int], bool]:
    """Write all lines but those refused; returns the refused ones' places and whether the search came to its end.

    To write a good line again changes nothing.  A search that did not end goes on when the rest is written again
    without the lines found.
    """
    rejected: list[int] = []
    pending = [(0, len(lines))]
    for _ in range(MAX_WRITES):
        if not pending:
            break
        start, end = pending.pop()
        try:
            write(b"\n".join(lines[start:end]))
        except WriteRejected:
            middle = (start + end) // 2
            if end - start == 1:
                rejected.append(start)
            else:
                pending += [(middle, end), (start, middle)]
    return rejected, not pending
