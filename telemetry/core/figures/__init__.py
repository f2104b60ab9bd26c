"""Figures computed from totals: availability, queues, completeness."""
