"""Queueing theory, forecasts and predicted waits. Pure: it must not read stores or clocks."""
