"""Renders texts from the inventory: the graph of its tree, and a device's agent.toml.

It must not read files, a clock or the network: the same inventory gives the same text.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from telemetry.core.device_sources import sources_of
from telemetry.errors import Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.inventory import AdministrativeUnit, Centre, Inventory, SourceValue

_NODE_SHAPES = {"province": "box3d", "district": "box", "commune": "ellipse"}


def render_graph(inventory: Inventory) -> str:
    """Return the tree of units, declared centres and numbers of devices as a Graphviz text."""
    lines = ["digraph motcua {", "  rankdir=LR;", "  node [fontname=sans];"]
    lines += [line for unit in inventory.units.values() for line in _unit_lines(unit)]
    declared = [centre for centre in inventory.centres.values() if not centre.imported]
    lines += [line for centre in declared for line in _centre_lines(inventory, centre)]
    return "\n".join([*lines, "}", ""])


def _unit_lines(unit: AdministrativeUnit) -> Iterator[str]:
    yield f"  {_quote('unit ' + unit.code)} [label={_quote(unit.name)}, shape={_NODE_SHAPES[unit.level]}];"
    if unit.parent:
        yield f"  {_quote('unit ' + unit.parent)} -> {_quote('unit ' + unit.code)};"


def _centre_lines(inventory: Inventory, centre: Centre) -> Iterator[str]:
    kinds = Counter(d.kind for d in inventory.devices_of(centre.id) if d.kind != "replay")
    equipment = [f"{centre.counters} counter", *(f"{n} {kind}" for kind, n in sorted(kinds.items()))]
    label = "\n".join([centre.id, *equipment])
    yield f"  {_quote(centre.id)} [label={_quote(label)}, shape=note];"
    yield f"  {_quote('unit ' + centre.unit)} -> {_quote(centre.id)};"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AgentCertificates:
    """Paths of the agent's certificate files, PEM; relative paths start at agent.toml's folder."""

    ca: str = "tls/ca.pem"
    cert: str = "tls/device.pem"
    key: str = "tls/device.key"


def render_agent(
    inventory: Inventory,
    device_id: str,
    *,
    mqtt: str = "mqtt://127.0.0.1:1883",
    outbox: str = "",
    certificates: AgentCertificates | None = None,
) -> str:
    """Return the agent.toml of a declared device; its outbox is `<device>.db` unless another path is given.

    For a broker with certificates (`mqtts://`) they are in `tls/` beside agent.toml, unless `certificates` differs.
    """
    settings = render_agent_settings(inventory, device_id, mqtt=mqtt, outbox=outbox, certificates=certificates)
    head = f"# Written by `motcua inventory render --device {device_id}` from inventory {inventory.version}.\n"
    return head + settings


def render_agent_settings(
    inventory: Inventory,
    device_id: str,
    *,
    mqtt: str,
    outbox: str = "",
    certificates: AgentCertificates | None = None,
) -> str:
    """Return an agent.toml that only changes when the device's own settings do: it does not name the inventory."""
    device = inventory.devices.get(device_id)
    if device is None or device.kind == "replay":
        similar = get_close_matches(device_id, inventory.devices, 3, 0.75)
        problem = f"there is no device {device_id!r} with an agent"
        remedy = "name one that devices.csv declares" + (f", like {' or '.join(similar)}" if similar else "")
        raise InventoryError([Fault("devices.csv", 1, "id", problem, remedy)])
    files = certificates or (AgentCertificates() if mqtt.startswith("mqtts://") else None)
    keys = {"device": device.id, "centre": device.centre, "kind": device.kind}
    head = _key_lines(**keys, every_ms=device.every_ms, mqtt=mqtt, outbox=outbox or f"{device.id}.db")
    centre = inventory.centres.get(device.centre)  # a vantage point in the cloud is at no centre
    if centre is not None and (services := centre.services):
        head += f"services = [{', '.join(map(_quote, services))}]\n"
    if inventory.signers:
        head += f"signers = [{', '.join(_quote(signer.text) for signer in inventory.signers)}]\n"
    if files is not None:
        head += _key_lines(mqtt_ca=files.ca, mqtt_cert=files.cert, mqtt_key=files.key)
    tables = [_key_lines(kind=source.kind, **source.settings) for source in sources_of(inventory, device)]
    return "\n".join([head, *(f"[[source]]\n{table}" for table in tables)])


def _key_lines(**values: SourceValue) -> str:
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in values.items())


def _toml_value(value: SourceValue) -> str:
    return _quote(value) if isinstance(value, str) else str(value).lower()
