"""The demonstration: a whole province in one process."""
