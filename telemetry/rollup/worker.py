"""Rollup's loop: a link to the presence topics, one pass a second, stop. It must not decide what is folded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from telemetry.core.protocol.topics import topic_filter
from telemetry.errors import MotcuaError, StoreUnavailable
from telemetry.mqtt.link import Link, LinkSettings, Message
from telemetry.mqtt.reconnect import Backoff, ForwardingListener
from telemetry.rollup.pass_stats import PassStats

if TYPE_CHECKING:
    from threading import Event as Signal

    from telemetry.mqtt.address import BrokerAddress
    from telemetry.rollup.service import Rollup

_log = structlog.get_logger()
PASS_INTERVAL_S = 1.0


def run_rollup(rollup: Rollup, broker: BrokerAddress, stop: Signal, stats: PassStats | None = None) -> None:
    """Fold once a second until stopped, also while the broker is unavailable; `stats` counts the passes."""
    counted = stats or PassStats()
    presence: list[Message] = []
    settings = LinkSettings(client_id="motcua-rollup", subscriptions=((topic_filter("state"), 1),))
    link = Link(broker, settings, ForwardingListener("rollup", presence.append))
    backoff = Backoff()
    while not stop.is_set():
        started_at = time.monotonic()
        if link.fileno() < 0:
            backoff.connect(link, stop)
        try:
            rollup.store_presence(presence)
            presence.clear()
            rollup.run_once()
            counted.record_pass(time.time_ns() // 1_000_000)
        except StoreUnavailable as error:
            counted.record_failure()
            _log.error("store_unavailable", role="rollup", error=str(error), remedy="trying again")
        except MotcuaError:
            raise
        except Exception as error:  # noqa: BLE001  # the last resort: what no unit's own guard has set aside
            presence.clear()
            counted.record_failure()
            _log.error("pass_failed", role="rollup", error=repr(error), exc_info=error, remedy="trying again")
        while link.fileno() >= 0 and time.monotonic() - started_at < PASS_INTERVAL_S and not stop.is_set():
            link.poll(0.1)
    link.disconnect()
