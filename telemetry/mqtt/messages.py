"""What crosses the door to the broker: messages, who is told of them, who we are; it must not open a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from telemetry.mqtt import packets

_USER_PROPERTY = packets.USER_PROPERTY


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Who we are to the broker and what we want from it."""

    client_id: str
    subscriptions: tuple[tuple[str, int], ...] = ()
    session_expiry_s: int = 0
    receive_maximum: int = 500
    clean_start: bool = True
    manual_ack: bool = False
    will: tuple[str, bytes] | None = None


class Message(Struct, frozen=True, gc=False):
    """A message as received; `generation` says which connection may acknowledge it. A struct: there are very many."""

    topic: str
    payload: bytes
    content_type: str = ""
    properties: bytes = b""
    mid: int = 0
    qos: int = 0
    retain: bool = False
    generation: int = 0

    @property
    def user_properties(self) -> dict[str, str]:
        """Return the user properties; of equal names the last counts."""
        return {
            name: value for kind, name, value in packets.parse_properties(self.properties) if kind == _USER_PROPERTY
        }


class LinkListener(Protocol):
    """Who is told what happens on a link; called from inside `pump`."""

    def on_connected(self, *, session_present: bool) -> None:
        """Say that the connection stands and subscriptions were asked for."""

    def on_disconnected(self, code: int, reason: str) -> None:
        """Say that the connection is gone."""

    def on_puback(self, mid: int, code: int) -> None:
        """Say that the broker answered a QoS 1 message; `code` ≥ FAILED means it was refused."""

    def on_message(self, message: Message) -> None:
        """Hand over a message."""
