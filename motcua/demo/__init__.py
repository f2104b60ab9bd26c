"""The demo: a whole province in one process."""
