"""Refuses options that make objects no cluster could run, all of them at once. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.targets.kubernetes.names import SERVICES_PORT
from infra.targets.kubernetes.pods import OWN_IMAGES, PINNED_IMAGES
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.config.options import StackOptions

_DIGEST_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


def check_cluster_options(options: StackOptions) -> None:
    """Raise ConfigError naming every fault."""
    faults = [Fault("stack configuration", 0, f"motcua:{name}", *why) for name, *why in _option_faults(options)]
    if faults:
        raise ConfigError(faults)


def _option_faults(options: StackOptions) -> Iterator[tuple[str, str, str]]:
    """Yield field, problem, remedy."""
    if options.broker.port == SERVICES_PORT:
        problem = f"{options.broker.port} is the broker's own for services"
        yield "broker.port", problem, "write another, as 8883"
    known_images = sorted({*PINNED_IMAGES, *OWN_IMAGES})
    for name, digest in sorted(options.kubernetes.image_digests.items()):
        if name not in known_images:
            yield (
                "kubernetes.imageDigests",
                f"{name!r} is no image of the stack",
                f"write one of {', '.join(known_images)}",
            )
        elif not _DIGEST_PATTERN.fullmatch(digest):
            yield "kubernetes.imageDigests", f"{name}: {digest!r} is no digest", "write sha256: and 64 hex digits alone"
