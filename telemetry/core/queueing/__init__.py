"""Queueing theory and forecasts on additive totals. Pure: it must not read stores, clocks or raw events."""
