"""The mathematics of service level objectives: pure functions of values; it must not read stores, files or clocks."""
