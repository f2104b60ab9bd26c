"""Checks ingest's loop against a broker that drops every connection."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, cast

from telemetry.ingest.service import Ingest
from telemetry.ingest.worker import run_ingest
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import Link, LinkSettings
from telemetry.mqtt.reconnect import ForwardingListener

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

TRIES = 6


class Flapping(Link):
    """Takes a connection and loses it at once."""

    connects = 0

    def connect(self, will: tuple[str, bytes] | None = None) -> None:
        del will
        self.connects += 1

    def poll(self, timeout: float, wakeup_fd: int = -1) -> None:  # noqa: ARG002
        del timeout


class Stop(Event):
    """Remembers how long it was waited for, without waiting; set after some waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        if len(self.waits) >= TRIES:
            self.set()
        return self.is_set()


def test_a_connection_that_is_lost_at_once_is_not_opened_again_without_a_pause() -> None:
    ingest = Ingest(cast("Store", None), lambda: cast("Inventory", None), lambda: 0)
    link, stop = Flapping(BrokerAddress(), LinkSettings("x"), ForwardingListener("ingest", ingest.accept)), Stop()
    run_ingest(ingest, link, stop)
    assert link.connects == len(stop.waits) + 1
    assert all(wait >= 0.05 for wait in stop.waits)
