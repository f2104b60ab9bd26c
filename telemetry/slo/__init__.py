"""Evaluates objectives from totals while rollup runs, and raises alarms; it must not read raw events."""
