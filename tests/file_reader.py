"""A file source over an outbox as tests drive it, and the writers and rotations that it meets."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from typing import TYPE_CHECKING, Any

import zstandard

from edge_agent.outbox import Outbox
from edge_agent.sources.file import FileSource
from edge_agent.sources.state import DeviceState
from edge_agent.sources.tail import FileTail

if TYPE_CHECKING:
    from pathlib import Path


def event_line(t: int) -> bytes:
    return json.dumps({"type": "payment.result", "t": t, "outcome": "ok"}).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class FileReader:
    """The source over its outbox; `stop` and `start` are those of the agent's process."""

    def __init__(self, path: Path, database: Path) -> None:
        self.outbox, self.source = Outbox(database, lambda: "s"), FileSource(path, DeviceState())
        self.start()

    def start(self) -> None:
        self.tail = FileTail(self.source.path, self.outbox.cursor("file"))

    def stop(self) -> None:
        self.tail.close()

    def once(self) -> bool:
        return self.source.read_once(self.tail, self.outbox)

    def read(self) -> list[int]:
        """Read all there is; returns the times of all events in the outbox but for alarms."""
        while self.once():
            pass
        return [body["t"] for body in self._bodies() if body["type"] != "agent.alarm"]

    def alarms(self) -> list[tuple[str, str]]:
        """Return the alarms in the outbox with their subjects."""
        return [(body["alarm"], body["subject"]) for body in self._bodies() if body["type"] == "agent.alarm"]

    def _bodies(self) -> list[dict[str, Any]]:
        return [json.loads(row.body) for row in self.outbox.rows_after(0, 100_000)]

    def close(self) -> None:
        self.stop()
        self.outbox.close()


def compress(path: Path, target: Path) -> None:
    """Replace a file by a compressed one, as rotation does it: with the modification time of the content."""
    data, name = path.read_bytes(), path.name
    match target.suffix:
        case ".gz" | ".gzip" | ".1":
            target.write_bytes(gzip.compress(data))
        case ".bz2":
            target.write_bytes(bz2.compress(data))
        case ".xz":
            target.write_bytes(lzma.compress(data))
        case ".zst" | ".zstd":
            target.write_bytes(zstandard.ZstdCompressor().compress(data))
        case ".zip":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(name, data)
        case _:
            raise ValueError(target.suffix)
    path.unlink()
