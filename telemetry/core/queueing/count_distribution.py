"""Quantiles of a count whose mean is known and whose variance exceeds it. Pure: it must not estimate either."""

from __future__ import annotations

import math

_LARGE_MEAN = 400.0
"""Above it the normal distribution is as good, and a sum over the counts is long."""
_NORMAL_90 = 1.2815515655446004
"""The 90 % point of the standard normal distribution."""


def count_interval(mean: float, dispersion: float) -> tuple[int, int]:
    """Return the 10 % and 90 % points of a count with the mean, and the variance mean + dispersion × mean².

    Negative binomial (a Poisson count whose rate varies by a gamma distribution), Poisson for a dispersion of 0.
    """
    if mean <= 0:
        return 0, 0
    if mean > _LARGE_MEAN:
        deviation = math.sqrt(mean + dispersion * mean * mean)
        return max(0, round(mean - _NORMAL_90 * deviation)), round(mean + _NORMAL_90 * deviation)
    return _quantile(mean, dispersion, 0.1), _quantile(mean, dispersion, 0.9)


def _quantile(mean: float, dispersion: float, share: float) -> int:
    """Return the least count that is not exceeded with probability `share`."""
    if dispersion > 0:
        size = 1 / dispersion
        odds = mean / (size + mean)
        probability = math.exp(-size * math.log1p(mean / size))
    else:
        size, odds, probability = 0.0, 0.0, math.exp(-mean)
    count, total = 0, probability
    while total < share:
        probability *= odds * (size + count) / (count + 1) if dispersion > 0 else mean / (count + 1)
        count += 1
        total += probability
    return count
