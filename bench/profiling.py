"""Runs `motcua …` with every thread under cProfile and writes one merged file. It must not change what runs.

Run: python -m bench.profiling FILE ingest --store … (slower than without: read shares, not rates)
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_thread_profiles: list[cProfile.Profile] = []
_plain_run = threading.Thread.run


def _run_profiled(self: threading.Thread) -> None:
    profile = cProfile.Profile()
    _thread_profiles.append(profile)
    with suppress(ValueError):  # from Python 3.12 on only one thread can be profiled
        profile.enable()
    try:
        _plain_run(self)
    finally:
        profile.disable()


def top_functions(file: str, most: int = 40) -> Iterator[str]:
    """Yield the functions with the most time of their own: seconds, calls, name."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(file).stats  # type: ignore[attr-defined]
    total = sum(entry[2] for entry in stats.values())
    yield f"{total:.2f} s in all threads; own s, share, calls, function"
    for (path, line, name), entry in sorted(stats.items(), key=lambda item: -item[1][2])[:most]:
        location = "/".join(path.split("/")[-2:])
        yield f"{entry[2]:8.3f} {entry[2] / total:6.1%} {entry[1]:9d}  {name} ({location}:{line})"


def main() -> None:
    file = sys.argv.pop(1)
    sys.argv[0] = "motcua"
    threading.Thread.run = _run_profiled  # type: ignore[method-assign]
    from motcua.__main__ import main as motcua  # noqa: PLC0415

    profile = cProfile.Profile()
    try:
        profile.runcall(motcua)
    finally:
        merged = pstats.Stats(profile)
        for thread_profile in _thread_profiles:
            with suppress(TypeError):  # a thread that never ran a profiled call
                merged.add(thread_profile)
        merged.dump_stats(file)


if __name__ == "__main__":
    main()
