"""Says which exceptions the policy pack knows: those of the inventory that the stack's configuration names."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from infra.policy.cloud.manifests import KnownExceptions
from infra.policy.pack.stack_exceptions import exceptions_of_stack
from telemetry.core.cloud.values import PolicyException
from tests.cloud_examples import ONESTOP, TODAY, base_declaration
from tests.cloud_files import write_inventory

if TYPE_CHECKING:
    from pathlib import Path


def environment(**values: str) -> dict[str, str]:
    return {"PULUMI_CONFIG": json.dumps({f"motcua:{name}": value for name, value in values.items()})}


def test_the_pack_knows_the_exceptions_of_the_stacks_inventory(tmp_path: Path) -> None:
    exception = PolicyException("tls", f"{ONESTOP}/app", "an old client", "vn83-dit", date(2027, 1, 31))
    write_inventory(tmp_path / "own", replace(base_declaration(), exceptions=(exception,)))
    found = exceptions_of_stack(environment(stage="prod", inventory="own"), tmp_path, TODAY)
    assert found == KnownExceptions(TODAY, {f"tls.2027-01-31.{ONESTOP}-server.app"})
    later = exceptions_of_stack(environment(stage="prod", inventory="own", today="2027-02-01"), tmp_path, TODAY)
    assert later == KnownExceptions(date(2027, 2, 1), frozenset()), "it has ended by then"


def test_without_a_configuration_or_an_inventory_the_day_alone_is_known(tmp_path: Path) -> None:
    assert exceptions_of_stack({}, tmp_path, TODAY) == KnownExceptions(TODAY)
    assert exceptions_of_stack(environment(stage="prod", inventory="none"), tmp_path, TODAY) == KnownExceptions(TODAY)
