"""Describes the machine of a measurement, and measures processes. It must not start or end any."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY_PCT = 10.0
"""Other work beyond this share of all processors invalidates a figure, and the table notes it."""


def describe() -> dict[str, str]:
    """Return processor, cores, memory, system and Python."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What a process has used so far: processor seconds, memory now and at most (VmRSS, VmHWM; MB of 1,000,000)."""

    cpu_s: float
    rss_mb: float
    peak_mb: float


def sample_process(pid: int) -> ProcessUsage:
    """Measure a process with its children; shared pages are counted as its own."""
    process = psutil.Process(pid)
    parts = [_own_usage(member) for member in (process, *process.children(recursive=True))]
    return ProcessUsage(*(round(sum(values), 2) for values in zip(*parts, strict=True)))


def _own_usage(process: psutil.Process) -> tuple[float, float, float]:
    times = process.cpu_times()
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    kib = {name: int(line.split()[1]) for line in lines for name in ("VmRSS", "VmHWM") if line.startswith(name)}
    return float(times.user + times.system), kib.get("VmRSS", 0) * 1024 / 1e6, kib.get("VmHWM", 0) * 1024 / 1e6


def sample(pids: Mapping[str, int]) -> dict[str, ProcessUsage]:
    """Measure processes, by name."""
    return {name: sample_process(pid) for name, pid in pids.items()}


def cpu_delta(before: Mapping[str, ProcessUsage], after: Mapping[str, ProcessUsage]) -> dict[str, float]:
    """Return processor seconds spent in between; a process that was not there before counts from 0."""
    return {name: w.cpu_s - (before[name].cpu_s if name in before else 0.0) for name, w in after.items()}


class OtherWork:
    """Measures the share of the machine that other work takes."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.perf_counter(), _busy_cpu_s(), _own_cpu_s()

    def share_pct(self) -> float:
        """Return the others' share of all processors since the start, %."""
        seconds = max(time.perf_counter() - self._began, 0.01)
        other_seconds = (_busy_cpu_s() - self._busy) - (_own_cpu_s() - self._own)
        return round(max(0.0, other_seconds / seconds / (os.cpu_count() or 1) * 100), 1)


def _busy_cpu_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_cpu_s() -> float:
    """Return what this process, its children and their ended children have used."""
    total = sum(os.times()[:4])
    for child in psutil.Process().children(recursive=True):
        try:
            total += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return float(total)
