"""Which sources a device's agent has: what every device has, then the declarations, the narrower before the wider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry.core.device_sources import sources_of
from telemetry.core.inventory import Device, SourceDeclaration, System
from tests.unit import inventories

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory

KIOSK = Device("vn83-1-kiosk1", "vn83-1", "kiosk", 30_000)
GATEWAY = Device("vn83-1-gateway1", "vn83-1", "gateway")
PORTAL = System("vn83-portal", "Cổng", "Portal", "portal", "http", "https://portal.example/", vantage=(GATEWAY.id,))


def world(*sources: SourceDeclaration) -> Inventory:
    plain = inventories.inventory(
        "vn83", {"vn83-1": inventories.centre("vn83-1", "vn83")}, {d.id: d for d in (KIOSK, GATEWAY)}
    )
    return replace(plain, systems={PORTAL.id: PORTAL}, sources=sources)


def http(
    port: int, *, name: str = "http", enabled: bool = True, device_kind: str = "", centre: str = "", device: str = ""
) -> SourceDeclaration:
    return SourceDeclaration("http", name, {"port": port}, device_kind, centre, device, enabled)


def found(inventory: Inventory, device: Device) -> list[tuple[str, dict[str, object]]]:
    return [(source.kind, dict(source.settings)) for source in sources_of(inventory, device)]


def test_without_declarations_there_are_heartbeats_and_the_probes_of_what_a_gateway_observes() -> None:
    assert found(world(), KIOSK) == [("host", {"every_ms": 30_000})]
    probe = {"system": PORTAL.id, "probe": "http", "target": "https://portal.example/", "every_ms": 300_000}
    assert found(world(), GATEWAY) == [("host", {"every_ms": 60_000}), ("probe", probe)]


def test_a_declaration_is_for_a_kind_a_centre_both_or_one_device() -> None:
    both = http(8137, centre="vn83-1", device_kind="kiosk")
    for declaration in (
        http(8137, device_kind="kiosk"),
        http(8137, centre="vn83-1"),
        both,
        http(8137, device=KIOSK.id),
    ):
        assert found(world(declaration), KIOSK)[1:] == [("http", {"port": 8137})]
    for declaration in (http(1, device_kind="gateway"), http(1, centre="vn83-2"), http(1, device=GATEWAY.id)):
        assert found(world(declaration), KIOSK)[1:] == []


def test_a_later_declaration_of_a_name_replaces_an_earlier_one_and_may_switch_it_off() -> None:
    kind = http(1, device_kind="kiosk")
    assert found(world(kind, http(2, centre="vn83-1")), KIOSK)[1:] == [("http", {"port": 2})]
    assert found(world(kind, http(2, name="desk", centre="vn83-1")), KIOSK)[1:] == [
        ("http", {"port": 1}),
        ("http", {"port": 2}),
    ]
    assert found(world(kind, http(1, enabled=False, device=KIOSK.id)), KIOSK)[1:] == []


def test_heartbeats_and_probes_inherit_what_is_not_said() -> None:
    host = SourceDeclaration("host", "host", {"every_ms": 5_000}, centre="vn83-1")
    probe = SourceDeclaration(
        "probe", "probe:vn83-portal", {"system": PORTAL.id, "target": "http://10.0.0.1/"}, centre="vn83-1"
    )
    assert found(world(host, probe), KIOSK) == [("host", {"every_ms": 5_000})]
    (_, (_, settings)) = found(world(host, probe), GATEWAY)
    assert settings == {"system": PORTAL.id, "probe": "http", "target": "http://10.0.0.1/", "every_ms": 300_000}
    assert sources_of(world(host, probe), GATEWAY)[1].declaration is probe
