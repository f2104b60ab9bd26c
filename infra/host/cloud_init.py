"""Writes a bundle's server files as cloud-init's user data. It must not add any file or secret of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host.first_boot import FIRST_BOOT_COMMAND
from infra.host.text import render_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PACKAGES = (
    "mosquitto", "nginx", "prometheus", "prometheus-alertmanager", "curl", "openssl", "python3-venv",
    "unattended-upgrades",
)  # fmt: skip
HEADER = "#cloud-config"


def render_user_data(
    head: str, files: Mapping[str, str], programs: tuple[str, ...], compress: Callable[[str], str] | None = None
) -> str:
    """Return user data that writes `files` (path below / → text) and runs the first boot's command.

    `pack` makes gzip in base64 of each text, where the whole must be small.
    """
    form = {"encoding": "gz+b64"} if compress else {}
    write_files = [
        {
            "path": f"/{path}",
            "owner": "root:root",
            "permissions": "0755" if path in programs else "0644",
            # After the packages: one that cannot start for want of a certificate would not install either.
            "defer": True,
            **form,
            "content": compress(text) if compress else text,
        }
        for path, text in files.items()
    ]
    config = {
        "package_update": True,
        "packages": list(PACKAGES),
        "users": ["default"],
        "disable_root": True,
        "ssh_pwauth": False,
        "timezone": "Asia/Ho_Chi_Minh",
        "write_files": write_files,
        "runcmd": [[f"/{FIRST_BOOT_COMMAND}"]],
    }
    return f"{HEADER}\n{head}\n{render_yaml(config)}"
