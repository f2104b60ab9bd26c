"""The pages of one centre: its state, counters, half hours, hall display."""

from __future__ import annotations
