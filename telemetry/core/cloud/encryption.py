"""Which components of hosted systems speak TLS: all that listen, but where a declared flow says otherwise. Pure.

It must not judge whether that is enough for a level; the rules do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration, Component


def speaks_tls(declaration: CloudDeclaration, component: Component) -> bool:
    """Return whether a component serves TLS at its port.

    Only flows of its own system and of parties outside count: a caller in another system cannot take TLS away from
    everybody else.
    """
    return component.port > 0 and all(
        flow.tls
        for flow in declaration.flows
        if (flow.target.system, flow.target.name) == (component.system, component.id)
        and flow.source.system in {"", component.system}
    )
