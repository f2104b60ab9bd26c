"""Sends orders to devices through the broker and returns its answers; it must not decide to whom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from telemetry.errors import BrokerUnavailable
from telemetry.mqtt.link import FAILED, NO_SUBSCRIBERS, QOS_0_SENT, Link, LinkSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.mqtt.address import BrokerAddress
    from telemetry.mqtt.link import Message

PROVISION_CLIENT_ID = "motcua-provision"
CONNECT_WAIT_S = 15.0
PUBLISH_WAIT_S = 15.0
POLL_S = 0.05


class BrokerSender:
    """One connection with the provision certificate; messages are sent one after the other."""

    def __init__(self, broker: BrokerAddress) -> None:
        """Connect. Raises BrokerUnavailable."""
        self._link = Link(broker, LinkSettings(PROVISION_CLIENT_ID), self)
        self._codes: dict[int, int] = {}
        self._lost = ""
        self._connect()

    def _connect(self) -> None:
        self._lost = ""
        self._link.connect()
        deadline = time.monotonic() + CONNECT_WAIT_S
        while not self._link.is_connected:
            if self._lost or time.monotonic() > deadline:
                msg = f"the broker refused the connection: {self._lost or 'no answer'}; give the provision certificate"
                raise BrokerUnavailable(msg)
            self._link.poll(POLL_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool, properties: Mapping[str, str] | None = None) -> int:
        """Send a message at QoS 1 and return the broker's reason code. Raises BrokerUnavailable."""
        if not self._link.is_connected:
            self._connect()
        mid = self._link.publish(topic, payload, qos=1, retain=retain, user=properties)
        if mid is None or mid == QOS_0_SENT:
            msg = "the message is too large for the broker, or it has no QoS 1; correct the broker's limits"
            raise BrokerUnavailable(msg)
        deadline = time.monotonic() + PUBLISH_WAIT_S
        while mid not in self._codes:
            if not self._link.is_connected or time.monotonic() > deadline:
                msg = f"the broker did not answer a message: {self._lost or 'no answer'}; resume when it is back"
                raise BrokerUnavailable(msg)
            self._link.poll(POLL_S)
        return self._codes.pop(mid)

    def wait(self, seconds: float) -> None:
        """Keep the connection alive for a while; a lost one is opened again by the next message."""
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            if self._link.is_connected:
                self._link.poll(min(POLL_S, remaining))
            else:
                time.sleep(min(POLL_S, remaining))

    def close(self) -> None:
        """Disconnect."""
        self._link.disconnect()

    def on_connected(self, *, session_present: bool) -> None:
        """Nothing is subscribed, so nothing is done."""

    def on_disconnected(self, code: int, reason: str) -> None:
        """Remember why the connection ended."""
        self._lost = f"{reason} ({code})"

    def on_puback(self, mid: int, code: int) -> None:
        """Remember the broker's answer."""
        self._codes[mid] = code

    def on_message(self, message: Message) -> None:
        """Nothing is subscribed, so nothing comes."""


def is_refused(code: int) -> bool:
    """Return whether the broker refused a message."""
    return code >= FAILED


def has_no_receiver(code: int) -> bool:
    """Return whether no client has received a message."""
    return code == NO_SUBSCRIBERS
