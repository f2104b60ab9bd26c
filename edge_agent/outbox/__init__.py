"""The durable outbox: an event is forgotten only on a receipt. It must not know of MQTT."""

from edge_agent.outbox.file import OutboxFull
from edge_agent.outbox.outbox import Outbox, OutboxRow
from edge_agent.outbox.schema import EVENT, IDEMPOTENCY_KEY_TTL_MS, SAMPLE, SCHEMA_VERSION, VITAL, priority_class
from edge_agent.outbox.timestamp_repair import UnsureTimestamps

__all__ = [
    "EVENT",
    "IDEMPOTENCY_KEY_TTL_MS",
    "SAMPLE",
    "SCHEMA_VERSION",
    "VITAL",
    "Outbox",
    "OutboxFull",
    "OutboxRow",
    "UnsureTimestamps",
    "priority_class",
]  # fmt: skip
