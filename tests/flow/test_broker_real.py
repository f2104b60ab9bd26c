"""Another broker than our own: Debian's mosquitto must carry everything just as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from motcua.system import wall_ms
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import TicketIssued
from telemetry.core.protocol.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flow.conftest import House, Role
    from tests.flow.device import Until, Wire

pytestmark = [pytest.mark.flow, pytest.mark.slow]
KIOSK = Topic("vn83-83", "vn83-83-kiosk1", "up")
EARLY, LATE = 4_000, 45_000


@pytest.fixture
def mosquitto(house: House, require: Callable[[str], str]) -> Role:
    """A running mosquitto with its own defaults, on the house's port."""
    path = house.folder / "mosquitto.conf"
    path.write_text(f"listener {house.port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    role = house.run(require("mosquitto"), "-c", str(path))
    house.listens(role, house.port)
    return role


def served(house: House) -> Role:
    role = house.start("ingest")
    house.linked(role)
    return role


def replay(house: House, bank: str) -> Role:
    return house.start("replay", bank, "--mapping", "bank-1999", "--resend-after", "2")


@pytest.mark.usefixtures("mosquitto")
def test_a_replay_through_mosquitto_gives_the_same_numbers(house: House, bank: str, replayed: House) -> None:
    served(house)
    house.linked(house.start("rollup"))
    running = replay(house, bank)
    assert running.exit_code() == 0, running.text()
    assert house.totals() == replayed.totals()


def test_killing_mosquitto_in_the_middle_of_a_replay_changes_no_number(
    house: House, mosquitto: Role, bank: str, replayed: House, until: Until
) -> None:
    served(house)
    house.start("rollup")
    running = replay(house, bank)
    until(lambda: house.store.count_events() > EARLY, "the replay is under way")
    mosquitto.kill()
    assert house.store.count_events() < LATE, "the kill came too late to prove anything"
    mosquitto.start_again()
    assert running.exit_code() == 0, running.text()
    assert house.totals() == replayed.totals()


@pytest.mark.usefixtures("mosquitto")
def test_properties_that_no_library_likes_do_not_stop_ingest_behind_mosquitto(
    house: House, wire: Callable[[str, Topic], Wire]
) -> None:
    ingest = served(house)
    kiosk = wire(house.mqtt, KIOSK)
    kiosk.publish(b"{", codec.CONTENT_TYPE, [("\ufeff", "\ufeff"), ("spool", "x"), ("from", "1"), ("to", "1")])
    event = TicketIssued(n=1, t=wall_ms(), ticket="k3f9", queue="land", service="land")
    kiosk.publish(codec.encode_frame("good", "b", 0, [codec.encode_event(event)]), codec.CONTENT_TYPE)
    kiosk.told(lambda r: r.spool == "good" and r.ranges == [(1, 1)], "a good frame is stored")
    assert house.store.dead_letter_counts() == {"malformed": 1}
    assert ingest.text().count("linked  ") == 1
