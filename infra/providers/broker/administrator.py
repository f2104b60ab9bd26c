"""Where and as whom dynamic security's administrator reaches a stack's broker; it must not connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.address import BrokerAddress, address

if TYPE_CHECKING:
    from infra.options import Broker


def administrator(told: Broker, password: str) -> BrokerAddress:
    """Return the address with the administrator's name and password. Raises ConfigError."""
    at = address(told.url)
    return BrokerAddress(at.host, at.port, at.tls, told.ca, "", "", told.username, password)
