"""The durable outbox: an event is forgotten only on a receipt. It must not know of MQTT."""

from edge_agent.outbox.file import OutboxFull
from edge_agent.outbox.outbox import Outbox, Row
from edge_agent.outbox.schema import EVENT, KEYS_KEPT_MS, SAMPLE, SCHEMA, VITAL, class_of
from edge_agent.outbox.timestamp_repair import Doubts

__all__ = [
    "EVENT", "KEYS_KEPT_MS", "SAMPLE", "SCHEMA", "VITAL", "Doubts", "Outbox", "OutboxFull",
    "Row", "class_of",
]  # fmt: skip
