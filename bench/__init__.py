"""Measurements of speed and memory, printed with the machine's description; never asserted in tests."""
