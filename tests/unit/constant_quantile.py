"""A learned quantile that is the same for every row, for tests of what is around it."""

from __future__ import annotations

import math

from telemetry.core.queueing.linear_quantile import OFFSET_S, LinearQuantile
from telemetry.core.queueing.wait_features import FEATURES

COUNT = len(FEATURES)


def constant_quantile(value_s: float) -> LinearQuantile:
    """Return a model that answers `value_s`, which must be above −OFFSET_S, for every row of `FEATURES`."""
    return LinearQuantile(math.log(value_s + OFFSET_S), (0.0,) * COUNT, (0.0,) * COUNT, (1.0,) * COUNT)
