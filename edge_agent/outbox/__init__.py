"""The durable outbox: a row is deleted only on a receipt; it must not use MQTT."""

from edge_agent.outbox.file import OutboxFull
from edge_agent.outbox.outbox import Outbox, OutboxRow, PostKey, PostResult
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
    "PostKey",
    "PostResult",
    "UnsureTimestamps",
    "priority_class",
]  # fmt: skip
