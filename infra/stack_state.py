"""Reads what the engine keeps of stacks: outputs, and the hosted systems in a state. It registers and decides nothing.

To be called before the first resource: the file of the state is cut short while the engine writes it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pulumi

from infra.components.component import TYPE_TOKENS

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Waits before a state is read again, s; the engine writes it within milliseconds."""
_MOVABLE: Final = (TYPE_TOKENS["cloud-system"], TYPE_TOKENS["cloud-part"])


class StateUnreadable(Exception):
    """A stack's state cannot be read; its text says why."""


def read_stack_outputs(stack: str) -> Mapping[str, object]:
    """Return a stack's outputs of its last run, empty before the first one. Raises StateUnreadable."""
    return _read("pulumi:pulumi:readStackOutputs", "name", stack)


def read_movable_names(stack: str) -> frozenset[str]:
    """Return the names of the systems, and of the agents inside, in a stack's state. Raises StateUnreadable."""
    urns = (urn.split("::") for urn in _read("pulumi:pulumi:readStackResourceOutputs", "stackName", stack))
    return frozenset(parts[-1] for parts in urns if parts[2].split("$")[-1] in _MOVABLE)


def _read(function: str, argument: str, stack: str) -> Mapping[str, object]:
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    for pause_s in STATE_PAUSES_S:
        try:
            answer = pulumi.runtime.invoke(function, {argument: name})
            break
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
            problem = str(error)
            if "unknown stack" in problem:
                raise StateUnreadable(problem) from None
            time.sleep(pause_s)
    else:
        raise StateUnreadable(problem)
    outputs = answer.value.get("outputs") if isinstance(answer.value, dict) else None
    return outputs if isinstance(outputs, dict) else {}
