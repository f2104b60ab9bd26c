"""A Will of an older connection, days after the newer birth: no down time, on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.protocol.presence import Presence, encode_presence
from telemetry.mqtt.link import Message
from telemetry.rollup.service import Rollup
from tests.unit.rollup.test_rollup_calendar import EVER, START, world

if TYPE_CHECKING:
    from tests.contract.conftest import Opener

TOPIC = "motcua/v1/c1/c1-gateway1/state"


def test_only_the_will_of_the_newest_connection_is_down_however_late_another_comes(reopen: Opener) -> None:
    now, store = START, reopen()
    rollup = Rollup(store, world, lambda: now, stopwatch=lambda: 0.0)
    story = (
        (START, "old", True), (START + 23 * HOUR, "new", True), (START + 25 * HOUR, "old", False),
        (START + 3 * DAY, "new", False),
    )  # fmt: skip
    down_ms: list[int] = []
    for now, sid, online in story:
        rollup.store_presence([Message(TOPIC, encode_presence(Presence(online=online, sid=sid)))])
        now += MINUTE  # noqa: PLW2901
        rollup.run_once()
        rows = store.totals(["c1"], "5m", EVER, "device")
        down_ms.append(sum(row.sums["conn_down_ms"] for row in rows))
    assert down_ms == [0, 0, 0, 1_230_000]
