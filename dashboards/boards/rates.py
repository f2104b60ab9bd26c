"""How a dashboard asks for the speed of a counter; the same window everywhere, so that figures can be compared."""

from __future__ import annotations


def rate_of(metric: str, by: str = "") -> str:
    """Return the PromQL of a counter's increase per second over five minutes, added over all series or `by` labels."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}[5m]))"
