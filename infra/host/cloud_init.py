"""Writes a bundle's server files as cloud-init's user data. It must not add any file or secret of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.first_boot import FIRST
from infra.host.text import block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PACKAGES = (
    "mosquitto", "nginx", "prometheus", "prometheus-alertmanager", "curl", "openssl", "python3-venv",
    "unattended-upgrades",
)  # fmt: skip
HEADER = "#cloud-config"


def user_data(
    head: str, files: Mapping[str, str], programs: tuple[str, ...], pack: Callable[[str], str] | None = None
) -> str:
    """Return user data that writes `files` (path below / → text) and runs the first boot's command.

    `pack` makes gzip in base64 of each text, where the whole must be small.
    """
    form = {"encoding": "gz+b64"} if pack else {}
    written = [
        {
            "path": f"/{path}",
            "owner": "root:root",
            "permissions": "0755" if path in programs else "0644",
            # After the packages: one that cannot start for want of a certificate would not install either.
            "defer": True,
            **form,
            "content": pack(text) if pack else text,
        }
        for path, text in files.items()
    ]
    told = {
        "package_update": True,
        "packages": list(PACKAGES),
        "users": ["default"],
        "disable_root": True,
        "ssh_pwauth": False,
        "timezone": "Asia/Ho_Chi_Minh",
        "write_files": written,
        "runcmd": [[f"/{FIRST}"]],
    }
    return f"{HEADER}\n{head}\n{block(told)}"
