"""The first boot's way with the data disk, by a shell on files that stand for disks: what is on one is never lost."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.host import server_setup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 8 * 1024 * 1024
PARTITION = bytes(446) + bytes([0, 0, 2, 0, 0x83, 0, 4, 0, 1, 0, 0, 0, 0, 16, 0, 0]) + bytes(48) + b"\x55\xaa"
"""A partition table with one entry."""


class Machine:
    """A folder with a disk, an fstab and stand-ins for what only a machine's own root may do."""

    def __init__(self, folder: Path, require: Callable[[str], str]) -> None:
        for name in ("mkfs.ext4", "wipefs", "blkid"):
            require(name)
        self.folder, self.disk, self.fstab = folder, folder / "disk", folder / "fstab"
        self.disk.write_bytes(bytes(SIZE))
        self.fstab.touch()
        self._stand_in("mountpoint", f'test -e "{folder}/mounted"')
        self._stand_in("mount", f'touch "{folder}/mounted"')
        self._stand_in("blkid", f'[ "$({require("blkid")} -s LABEL -o value {self.disk})" = "$2" ]')
        text = server_setup.first_boot_files("# head", "motcua", str(self.disk))[server_setup.FIRST_BOOT_COMMAND]
        beginning = text.partition('step "InfluxDB')[0]
        places = {"/etc/fstab": str(self.fstab), "/var/lib/influxdb": str(folder / "influxdb"), "[ -b": "[ -f"}
        self._script = re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], beginning)

    def _stand_in(self, name: str, text: str) -> None:
        path = self.folder / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def boot(self) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PATH": f"{self.folder}/programs:{os.environ['PATH']}:/usr/sbin:/sbin"}
        return subprocess.run(["sh", "-c", self._script], capture_output=True, text=True, check=False, env=env)

    def digest(self) -> str:
        return hashlib.sha256(self.disk.read_bytes()).hexdigest()


@pytest.fixture
def machine(tmp_path: Path, require: Callable[[str], str]) -> Machine:
    return Machine(tmp_path, require)


def test_an_empty_disk_is_formatted_once_and_mounted(machine: Machine) -> None:
    first = machine.boot()
    assert first.returncode == 0, first.stderr
    line = "LABEL=motcua-store"
    assert machine.fstab.read_text().split()[0] == line
    assert (machine.folder / "mounted").exists()
    before = machine.digest()
    (machine.folder / "mounted").unlink()  # a new machine with the disk of the old one, or a second boot
    assert machine.boot().returncode == 0
    assert machine.digest() == before
    assert machine.fstab.read_text().count(line) == 1


@pytest.mark.parametrize("kind", ["another file system", "a partition table"])
def test_a_disk_that_holds_something_is_left_alone(machine: Machine, kind: str) -> None:
    if kind == "a partition table":
        machine.disk.write_bytes(PARTITION.ljust(SIZE, b"\0"))
    else:
        search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        subprocess.run([str(shutil.which("mkfs.ext4", path=search)), "-q", "-L", "other", machine.disk], check=True)
    before = machine.digest()
    refused = machine.boot()
    assert (refused.returncode, machine.digest()) == (1, before)
    assert "holds something else" in refused.stdout
    assert machine.fstab.read_text() == ""


def test_a_disk_that_is_missing_is_named(machine: Machine) -> None:
    machine.disk.unlink()
    refused = machine.boot()
    assert refused.returncode == 1
    assert f"{machine.disk} is missing; attach the volume" in refused.stdout
