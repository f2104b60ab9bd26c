"""The MQTT topic schema, both directions; no other module concatenates topic strings. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

TOPIC_ROOT = "motcua/v1"
TopicChannel = Literal["up", "state", "receipt", "config", "command"]
_ID = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Topic:
    """One device's channel; it validates its parts.

    >>> Topic("vn83-28756", "vn83-28756-kiosk1", "up").path
    'motcua/v1/vn83-28756/vn83-28756-kiosk1/up'
    """

    centre: str
    device: str
    channel: TopicChannel

    def __post_init__(self) -> None:
        """Refuse ids outside `[a-z0-9-]{1,63}` and unknown channels."""
        ids_are_valid = _ID.fullmatch(self.centre) and _ID.fullmatch(self.device)
        if not ids_are_valid or self.channel not in get_args(TopicChannel):
            msg = f"not a topic of ours: {self.centre}/{self.device}/{self.channel}"
            raise ValueError(msg)

    @property
    def path(self) -> str:
        """Return the topic as sent."""
        return f"{TOPIC_ROOT}/{self.centre}/{self.device}/{self.channel}"

    def with_channel(self, channel: TopicChannel) -> Topic:
        """Return the same device's other channel."""
        return Topic(self.centre, self.device, channel)


@lru_cache(maxsize=1 << 16)
def parse_topic(path: str) -> Topic | None:
    """Return the topic, or None when it is not of this schema."""
    parts = path.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != TOPIC_ROOT:
        return None
    try:
        return Topic(parts[2], parts[3], parts[4])  # type: ignore[arg-type]
    except ValueError:
        return None


def topic_filter(channel: TopicChannel, share: str | None = None) -> str:
    """Return the filter for all devices' channel, shared within the group `share` when given."""
    pattern = f"{TOPIC_ROOT}/+/+/{channel}"
    return f"$share/{share}/{pattern}" if share else pattern
