"""Replay mappings: from a queue system's columns to events; nothing here sends or stores events."""
