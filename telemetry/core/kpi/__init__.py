"""Indicators of digital government: what they are, their values, targets and paths; pure, it must not read a store."""
