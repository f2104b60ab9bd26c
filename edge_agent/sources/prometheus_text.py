"""Reads named figures out of Prometheus text; it must not request anything and must not guess at what it cannot read.

Of the format only lines `name{labels} value [time]` are needed, so the agent carries no library for it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*'
_LABELS = re.compile(rf"\{{(?:{_LABEL}(?:,{_LABEL})*,?)?\s*\}}")
_ONE_LABEL = re.compile(_LABEL)
_REST = re.compile(r"\s+(\S+)(?:\s+-?\d+)?\s*")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a figure, with its labels as they are written."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse_samples(text: str, names: Collection[str]) -> list[Sample]:
    """Return the samples of these figures, without those that are NaN. Raises ValueError naming the line."""
    samples: list[Sample] = []
    for number, line in enumerate(text.splitlines(), 1):
        name = _NAME.match(line)
        if name is None or name[0] not in names:
            continue
        sample = _parse_sample(line, name[0], name.end())
        if sample is None:
            raise ValueError(f"line {number}: not a value of {name[0]}")
        if not math.isnan(sample.value):
            samples.append(sample)
    return samples


def _parse_sample(line: str, name: str, end: int) -> Sample | None:
    labels = _LABELS.match(line, end)
    rest = _REST.fullmatch(line, labels.end() if labels else end)
    if rest is None:
        return None
    try:
        value = float(rest[1])
    except ValueError:
        return None
    return Sample(name, dict(_ONE_LABEL.findall(labels[0])) if labels else {}, value)
