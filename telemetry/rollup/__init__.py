"""Rollup: changes from the store into totals and live rows."""
