"""Dynamic security's first file, made from the plan: a real mosquitto begins with it and nothing is left to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.declared import access
from infra.drift import drifts
from infra.options import Broker, Options
from infra.plan import plan
from infra.providers.broker import KINDS, Dynsec
from infra.providers.broker.document import Admin
from infra.targets.local.first_access import dynamic_security
from tests.mosquitto import ADMIN, PASSWORD, Guarded
from tests.pki import Pki
from tests.program.test_drift import TODAY, WORLD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPTIONS = Options(stage="dev", target="local", shards=2, broker=Broker(form="dynsec", url="mqtt://127.0.0.1:1883"))


def test_a_broker_that_begins_with_the_file_has_everything(tmp_path: Path, require: Callable[[str], str]) -> None:
    wanted = plan(WORLD, OPTIONS, TODAY)
    text = dynamic_security(wanted, Admin(ADMIN, PASSWORD, b"a test's sal"))
    assert PASSWORD not in text
    with Guarded(require("mosquitto"), tmp_path / "broker", Pki(tmp_path / "pki"), text) as broker:
        dynsec = Dynsec(broker.control, 20, owner="local")
        things = [one for one in access(wanted) if one.kind != "broker.default_access"]
        assert list(drifts(things, lambda name: KINDS[name.partition(".")[2]](dynsec))) == []
    assert len(json.loads(text)["clients"]) == 1 + 4 + sum(len(one.devices) for one in wanted.broker.shards)
