"""Alerting before a real Alertmanager with the rendered routes: fire, group, suppress, resolve, survive restarts."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import structlog

from dashboards.files import provisioned_files
from infra.config.options import StackOptions
from infra.host import monitoring
from infra.plan import build_plan
from infra.templates import render_yaml
from telemetry import inventory
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window
from telemetry.errors import ConfigError
from telemetry.slo.alert_state import StateFile
from telemetry.slo.alerting import Alerting
from telemetry.slo.alertmanager import Alertmanagers
from tests.alertmanager import Alertmanager, Webhook, hurried, until
from tests.judging import WORLD, Line, at_centre, at_device, judged, out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SECOND = 1000
SITE, OTHER = "centre:vn83-00001", "centre:vn83-00002"


@pytest.fixture(scope="module")
def rendered() -> str:
    wanted = StackOptions.model_validate({"stage": "prod", "target": "local"})
    world = inventory.load(inventory.default_path())
    found = build_plan(world, wanted, wanted.pki.epoch, provisioned_files(world))
    return render_yaml(monitoring.alertmanager_configuration(found))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with closing(Webhook()) as one:
        yield one


class World:
    """An Alertmanager, and a rollup's alerting that may be started again; its clock runs in the last minutes."""

    def __init__(self, server: Alertmanager, webhook: Webhook, state: Path) -> None:
        self.server, self.webhook = server, webhook
        self._state = state
        # What Alertmanager is told ends by Alertmanager's own clock: this one stays shortly behind it.
        self.now = time.time_ns() // 1_000_000 - 3 * MINUTE
        self.began = self.now
        self.begin()

    def begin(self) -> None:
        self.state, self.sender = StateFile(self._state), Alertmanagers(self.server.url)
        self.alerting = Alerting(lambda: WORLD, self.state, self.sender)

    def end(self) -> None:
        self.sender.close()
        self.state.close()

    def step(self, lines: Sequence[Line], seconds: int = 15) -> None:
        self.now += seconds * SECOND
        self.alerting.step(judged(lines, self.now), self.now)

    def delivered(self, lines: Sequence[Line]) -> None:
        """Take a step that is due anyway, and wait until Alertmanager has it."""
        self.step(lines, 45)
        until(lambda: self.sender.deliveries[0].last_at == self.now, lambda: self.sender.deliveries)

    def dead(self, number: int, opening: Sequence[Window] | None = None) -> Line:
        return out(at_centre(number), self.began - 10 * MINUTE, self.began + HOUR, opening)

    def heard(self, scope: str, status: str, times: int = 1) -> None:
        until(lambda: len(self.webhook.about(scope, status)) >= times, lambda: self.webhook.messages)


@pytest.fixture
def world(require: Callable[[str], str], tmp_path: Path, rendered: str, webhook: Webhook) -> Iterator[World]:
    config = hurried(rendered, webhook.url, group_wait="1s", group_interval="1s", repeat_interval="1h")
    yield from running(require("prometheus-alertmanager"), tmp_path, config, webhook)


def running(program: str, folder: Path, config: str, webhook: Webhook) -> Iterator[World]:
    server = Alertmanager(program, folder / "alertmanager", config).start()
    one = World(server, webhook, folder / "state.db")
    try:
        yield one
    finally:
        one.end()
        server.end()


def well(number: int) -> Line:
    return Line(at_centre(number))


def test_seven_hundred_devices_behind_one_dead_link_are_one_message_which_is_resolved(world: World) -> None:
    site = [out(at_device(1, n), world.began - 10 * MINUTE, world.now + HOUR) for n in range(700)]
    world.step([world.dead(1), *site])
    world.heard(SITE, "firing")
    (message,) = world.webhook.messages
    assert message["receiver"] == "centres"
    assert message["groupLabels"] == {"province": "vn83", "centre": "vn83-00001", "cause": "link"}
    (alert,) = message["alerts"]
    assert alert["labels"] == {
        "alertname": "MotcuaConnectivity", "severity": "page", "objective": "connectivity-28", "scope": SITE,
        "centre": "vn83-00001", "province": "vn83", "cause": "link", "rule": "page-fast",
    }  # fmt: skip
    assert alert["annotations"]["children"] == "700"
    assert alert["annotations"]["summary"].endswith("700 below it are affected.")
    assert set(world.server.alerts()) == {"MotcuaWatchdog", f"MotcuaConnectivity {SITE}"}
    world.step([well(1), *(Line(at_device(1, n)) for n in range(700))])
    world.heard(SITE, "resolved")
    assert [m["status"] for m in world.webhook.messages] == ["firing", "resolved"]


def test_an_alertmanager_that_was_killed_has_everything_again_with_the_next_telling(world: World) -> None:
    lines = [world.dead(1)]
    world.step(lines)
    world.heard(SITE, "firing")
    world.server.kill()
    world.step(lines, 60)
    until(lambda: world.sender.deliveries[0].failed > 0, lambda: world.sender.deliveries)
    world.server.start()
    until(lambda: f"MotcuaConnectivity {SITE}" in world.server.alerts(), world.server.alerts)
    world.server.kill()  # at once again: this time nothing fails in between, only time passes
    world.server.start()
    assert world.server.alerts() == {}
    world.delivered(lines)
    assert f"MotcuaConnectivity {SITE}" in world.server.alerts()


def test_an_end_that_could_not_be_told_is_told_later(world: World) -> None:
    world.step([world.dead(1)])
    world.heard(SITE, "firing")
    # It notes what it has sent after the receiver's answer; only with its next look is that sure to be kept.
    looked = world.server.looked()
    until(lambda: world.server.looked() >= looked + 4, world.server.looked)
    world.server.end()
    world.step([well(1)])
    world.step([well(1)])
    until(lambda: world.sender.deliveries[0].failed > 0, lambda: world.sender.deliveries)
    world.server.start()
    world.heard(SITE, "resolved")


def test_a_rollup_that_starts_again_repeats_nothing_and_ends_nothing(world: World) -> None:
    lines = [world.dead(1)]
    world.step(lines)
    world.heard(SITE, "firing")
    world.end()
    world.begin()
    world.delivered([])  # nothing is judged again yet
    world.delivered(lines)
    world.delivered([*lines, world.dead(2)])
    world.heard(OTHER, "firing")  # its message comes after any that the restart had caused
    assert len(world.webhook.about(SITE)) == 1


@pytest.fixture
def repeating(require: Callable[[str], str], tmp_path: Path, rendered: str, webhook: Webhook) -> Iterator[World]:
    config = hurried(rendered, webhook.url, group_wait="0s", group_interval="200ms", repeat_interval="400ms")
    yield from running(require("prometheus-alertmanager"), tmp_path, config, webhook)


def test_nothing_is_repeated_about_a_closed_centre_until_it_opens(repeating: World) -> None:
    world = repeating
    closes = world.now + 30 * SECOND
    opening = [Window(world.began - 59 * DAY, closes), Window(closes + 30 * SECOND, closes + DAY)]
    lines = [world.dead(1, opening), world.dead(2)]
    world.step(lines)
    world.heard(SITE, "firing", 3)
    world.step(lines)
    world.step(lines)
    name = f"MotcuaConnectivity {SITE}"
    until(lambda: world.server.alerts()[name]["status"]["state"] == "suppressed", world.server.alerts)
    world.heard(OTHER, "firing", len(world.webhook.about(OTHER)) + 2)  # what was under way has come
    before = len(world.webhook.about(SITE))
    world.heard(OTHER, "firing", len(world.webhook.about(OTHER)) + 5)
    assert len(world.webhook.about(SITE)) == before
    assert not world.webhook.about(SITE, "resolved")
    assert {m["receiver"] for m in world.webhook.messages} == {"centres"}
    world.step(lines)
    world.step(lines)
    world.heard(SITE, "firing", before + 2)


def test_every_alertmanager_gets_everything_and_one_that_is_away_hinders_nobody(
    require: Callable[[str], str], tmp_path: Path, rendered: str, webhook: Webhook
) -> None:
    program, config = require("prometheus-alertmanager"), hurried(rendered, webhook.url)
    servers = [Alertmanager(program, tmp_path / name, config) for name in ("one", "two", "away")]
    try:
        for server in servers[:2]:
            server.start()
        with closing(Alertmanagers(",".join(server.url for server in servers))) as sender:
            now = time.time_ns() // 1_000_000 - MINUTE
            one = Alerting(lambda: WORLD, None, sender)
            one.step(judged([out(at_centre(1), now - 10 * MINUTE, now)], now), now)
            for server in servers[:2]:
                until(lambda one=server: f"MotcuaConnectivity {SITE}" in one.alerts(), server.alerts)  # type: ignore[misc]
            until(lambda: sender.deliveries[2].failed > 0, lambda: sender.deliveries)
            assert [found.delivered > 0 for found in sender.deliveries] == [True, True, False]
    finally:
        for server in servers:
            server.end()


def test_a_password_in_the_address_is_used_but_never_shown(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cret-of-the-operators"
    address = world.server.url.replace("http://", f"http://ops:{secret}@")
    with structlog.testing.capture_logs() as logged, closing(Alertmanagers(address)) as sender:
        sender.submit([], 1)
        until(lambda: sender.deliveries[0].delivered > 0, lambda: sender.deliveries)
        world.server.end()
        sender.submit([], 60_001)
        until(lambda: sender.deliveries[0].failed > 0, lambda: sender.deliveries)
    shown = f"{logged} {caplog.text} {capsys.readouterr()}"
    assert "alerts_not_delivered" in shown
    assert secret not in shown
    with pytest.raises(ConfigError) as refused:
        Alertmanagers(f"ftp://ops:{secret}@host")
    assert secret not in str(refused.value)
