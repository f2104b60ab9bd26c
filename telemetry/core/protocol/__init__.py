"""What goes over the wire: events, frames, topics, presence."""
