"""What a broker says in its CONNACK that a client must obey (MQTT 5.0, 3.2.2.3); it must not send anything."""

from __future__ import annotations

from dataclasses import dataclass, fields

UNLIMITED_PACKET_BYTES = 5 + 268_435_455
"""The largest packet that MQTT can express, bytes."""
UNLIMITED_RECEIVE_MAXIMUM = 65_535


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """One connection's limits; the defaults are what MQTT 5 says for properties that a CONNACK does not have."""

    max_packet_bytes: int = UNLIMITED_PACKET_BYTES
    """Largest packet that may be sent, with its header, bytes."""
    receive_maximum: int = UNLIMITED_RECEIVE_MAXIMUM
    """Most QoS 1 messages without a PUBACK."""
    maximum_qos: int = 2
    retain_available: bool = True
    keep_alive_s: int | None = None
    """The keep-alive that replaces the client's own, s; 0: none."""
    session_expiry_s: int | None = None
    """The session's expiry that replaces the requested one, s."""
    shared_subscriptions_available: bool = True
    wildcards_available: bool = True

    def restrictions(self) -> dict[str, int | bool | None]:
        """Return the limits that differ from MQTT's defaults, for a log line."""
        default = BrokerLimits()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(default, name)}


def parse_limits(properties: object) -> BrokerLimits:
    """Return the limits in a CONNACK's properties, as paho names them."""
    default = BrokerLimits()

    def value(name: str, absent: int) -> int:
        return int(getattr(properties, name, absent))

    return BrokerLimits(
        max_packet_bytes=value("MaximumPacketSize", default.max_packet_bytes),
        receive_maximum=value("ReceiveMaximum", default.receive_maximum),
        maximum_qos=value("MaximumQoS", default.maximum_qos),
        retain_available=bool(value("RetainAvailable", 1)),
        keep_alive_s=getattr(properties, "ServerKeepAlive", None),
        session_expiry_s=getattr(properties, "SessionExpiryInterval", None),
        shared_subscriptions_available=bool(value("SharedSubscriptionAvailable", 1)),
        wildcards_available=bool(value("WildcardSubscriptionAvailable", 1)),
    )
