"""The wire protocol: events, frames, topics, presence."""
