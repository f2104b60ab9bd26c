"""How far a followed file's content was read, and the whole lines after that; it must not look for files.

A position is known by the content before it: digests of the last bytes before the ends of lines.  The inode only says
where to look first.
"""

from __future__ import annotations

import codecs
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from edge_agent.sources.followed_file import DIGESTED_BYTES, MAX_CHUNK_BYTES, digest_of

if TYPE_CHECKING:
    from edge_agent.sources.followed_file import FollowedFile

UNENDED_AFTER_S = 2.0
"""A last event without a line end is taken when the file has not grown for this long, s."""
OVERLONG_LINE = b"{"
"""Returned once for a line longer than a chunk: no event."""
RECENT_CHECKPOINTS, MAX_CHECKPOINTS = 2_048, 4_096
_SPACED_CHECKPOINTS = (16, 32, 64, 128, 256)
_BOM = "\ufeff".encode()
_NUL_RUN = re.compile(rb"\0+")
_UTF16_RUN = re.compile(rb"(?:\xff\xfe)?(?:[\t\r\n -~]\0){8,}|(?:\0[\t\r\n -~]){8,}")
"""ASCII letters in UTF-16 within another text, as PowerShell's `>>` appends to a file in UTF-8."""
_UNITS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_ENCODINGS = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The end of a line that was read, and the digest of the bytes before it."""

    offset: int
    digest: str


@dataclass(slots=True)
class FilePosition:
    """How far one file was read; `modified_ns` is its modification time then, ns. Methods raise OSError."""

    inode: int
    offset: int = 0
    digest: str = ""
    modified_ns: int = 0
    is_finished: bool = False
    """Whether all of the content was read and the file is no longer followed."""
    is_overlong: bool = False
    """Whether the position is inside a line longer than a chunk."""
    is_drained: bool = False
    """Whether nothing more could be read at the last look."""
    checkpoints: list[Checkpoint] = field(default_factory=list)
    head: Checkpoint | None = None
    """The start of a file of which nothing was read."""
    file: FollowedFile | None = None
    _ahead: list[Checkpoint] = field(default_factory=list)
    _encoding: str = ""
    _unended: tuple[int, float] = (0, 0.0)

    @property
    def as_text(self) -> str:
        """Return the position as it is stored."""
        marks = "f" * self.is_finished + "s" * self.is_overlong + "d" * self.is_drained
        if not self.offset:
            ends = f"{self.head.offset}={self.head.digest}" if self.head else ""
            return f"{self.inode}:0::{self.modified_ns}:{marks}:{ends}"
        count = len(self.checkpoints)
        stored = {0, *range(count - 8, count), *(count - back for back in _SPACED_CHECKPOINTS)}
        ends = ";".join(
            f"{c.offset}={c.digest}" for i, c in enumerate(self.checkpoints) if i in stored and not self.is_finished
        )
        return f"{self.inode}:{self.offset}:{self.digest}:{self.modified_ns}:{marks}:{ends}"

    def is_in(self, file: FollowedFile) -> bool:
        """Return whether the file has the content that was read."""
        if not self.offset:
            return self.head is not None and file.digest_before(self.head.offset) == self.head.digest
        digest = file.digest_before(self.offset)
        return digest == self.digest if self.digest else bool(digest)

    @property
    def open_file(self) -> FollowedFile:
        """Return the open file. Raises ValueError when it is not open."""
        if self.file is None:
            raise ValueError("the position's file is not open")
        return self.file

    @property
    def has_read_further(self) -> bool:
        """Return whether content after this position was read before the file was changed."""
        return bool(self._ahead)

    def find_common_end(self, file: FollowedFile) -> Checkpoint | None:
        """Return the last known line end up to which the file has the content that was read."""
        size = file.status.st_size
        for checkpoint in reversed([*self.checkpoints, *self._ahead]):
            if (file.is_compressed or checkpoint.offset <= size) and (
                file.digest_before(checkpoint.offset) == checkpoint.digest
            ):
                return checkpoint
        return None

    def is_intact(self) -> bool:
        """Return whether the open file still has the content before this position."""
        is_intact = self.is_in(self.open_file) or (not self.offset and self.head is None)
        if is_intact:
            self.look_at_head()
        return is_intact

    def look_at_head(self) -> None:
        """Remember the start of an open file of which nothing was read."""
        if not self.offset:
            text = self.open_file.read_at(0, DIGESTED_BYTES)
            is_known = len(text) == DIGESTED_BYTES or self._find_line_end(text)
            self.head = Checkpoint(len(text), digest_of(text)) if is_known else None

    def has_more(self) -> bool:
        """Return whether the open file has content after this position."""
        return self.file is not None and bool(self.file.read_at(self.offset, 1))

    def continue_in(self, file: FollowedFile, common_end: Checkpoint | None = None) -> FilePosition:
        """Return the position in another file with the same content, at a known line end or where it is."""
        offset, digest = (common_end.offset, common_end.digest) if common_end else (self.offset, self.digest)
        known = [*self.checkpoints, *self._ahead]
        return FilePosition(
            file.status.st_ino, offset, digest, self.modified_ns, file=file, is_overlong=self.is_overlong,
            checkpoints=[c for c in known if c.offset <= offset], head=self.head,
            _ahead=[c for c in known if c.offset > offset],
        )  # fmt: skip

    def without_file(self) -> FilePosition:
        """Return this position as one whose file is not known."""
        return FilePosition(
            -1, self.offset, self.digest, self.modified_ns, is_overlong=self.is_overlong, checkpoints=self.checkpoints
        )

    def skip_common_content(self, copy: FollowedFile) -> None:
        """Skip what a copy of this file has too: it is read there."""
        rest = self.open_file.read_at(self.offset, MAX_CHUNK_BYTES)
        common = _common_length(rest, copy.read_at(self.offset, len(rest)))
        self.is_drained = common == len(rest)
        if common < len(rest):
            common = rest.rfind(b"\n", 0, common) + 1
        self._advance(self.open_file, self.offset, rest[:common])

    def last_modified_ns(self) -> int:
        """Return the file's modification time, ns."""
        return self.file.status.st_mtime_ns if self.file else self.modified_ns

    def read_lines(self, *, is_final: bool) -> list[bytes]:
        """Return the next whole lines, as UTF-8 without NULs; `is_final`: also an event without a line end."""
        file = self.open_file
        while (start := self._find_next_data(file)) is not None:
            fresh = file.read_at(start, MAX_CHUNK_BYTES)
            end = self._find_end(file, start, fresh, is_final=is_final)
            if not end:
                return []
            was_overlong, self.is_overlong = self.is_overlong, self._is_inside_overlong(fresh, end)
            if was_overlong:
                end = len(fresh) if self.is_overlong else self._find_first_line_end(fresh)
            self._advance(file, start, fresh[:end])
            if was_overlong:
                continue
            if self.is_overlong:
                return [OVERLONG_LINE]
            if lines := self._split_lines(fresh[:end]):
                return lines
        return []

    def _is_inside_overlong(self, fresh: bytes, end: int) -> bool:
        return end == len(fresh) == MAX_CHUNK_BYTES and not self._find_line_end(fresh)

    def _find_end(self, file: FollowedFile, start: int, fresh: bytes, *, is_final: bool) -> int:
        """Return how much of `fresh` can be taken: whole lines, a damaged or overlong one, or a last whole event."""
        if end := self._find_line_end(fresh):
            return end
        if len(fresh) == MAX_CHUNK_BYTES:
            torn = fresh.find(b"\0")
            if torn < 0:
                return len(fresh)
            return 0 if file.find_data(start + torn) is None else torn
        return len(fresh) if not self.is_overlong and self._is_ended_event(fresh, is_final=is_final) else 0

    def read_rest(self) -> list[bytes]:
        """Return the bytes after the last whole line."""
        fresh = self.open_file.read_at(self.offset, MAX_CHUNK_BYTES)
        self._advance(self.open_file, self.offset, fresh)
        return self._split_lines(fresh)

    def skip_known(self) -> None:
        """Continue at the last known line end when the file has grown again to content that was read."""
        if self._ahead and self.file is not None:
            common_end = self.find_common_end(self.file)
            if common_end is not None and common_end.offset > self.offset:
                self.offset, self.digest = common_end.offset, common_end.digest
                known = [*self.checkpoints, *self._ahead]
                self.checkpoints = [c for c in known if c.offset <= self.offset]
                self._ahead = [c for c in known if c.offset > self.offset]

    def _find_next_data(self, file: FollowedFile) -> int | None:
        """Return where the next data is; NULs before it are what a truncated or damaged file has in place of text."""
        first = file.read_at(self.offset, 1)
        if first not in {b"\0", b""}:
            return self.offset
        start = file.find_data(self.offset)
        unit = _UNITS.get(self._encoding_of(file), 1)
        return None if start is None else start - (start - self.offset) % unit

    def _encoding_of(self, file: FollowedFile) -> str:
        if not self._encoding:
            start = file.find_data(0)
            head = file.read_at(start or 0, 4)
            if (
                start == 1 and file.read_at(0, 4)[2:3] == b"\0"
            ):  # UTF-16 begins with a NUL when its high bytes come first
                head = file.read_at(0, 4)
            if len(head) < 4:
                return "utf-8"
            encoding: str = json.detect_encoding(head)
            if encoding in _ENCODINGS:
                encoding = _ENCODINGS[encoding] if head[:1] == b"\xff" else _ENCODINGS[encoding].replace("le", "be")
            self._encoding = encoding if encoding in _UNITS else "utf-8"
        return self._encoding

    def _find_line_end(self, fresh: bytes) -> int:
        """Return the length of the whole lines; 0 when there is none. Lines end with LF, CR LF or CR."""
        unit, encoding = self._unit_and_encoding()
        if unit == 1:
            return max(fresh.rfind(b"\n"), fresh.rfind(b"\r")) + 1
        return max(_find_aligned(fresh, end.encode(encoding), unit) for end in "\r\n")

    def _find_first_line_end(self, fresh: bytes) -> int:
        unit, encoding = self._unit_and_encoding()
        for at in range(0, len(fresh), unit):
            if fresh[at : at + unit] in {"\n".encode(encoding), "\r".encode(encoding)}:
                return at + unit
        return len(fresh)

    def _unit_and_encoding(self) -> tuple[int, str]:
        encoding = self._encoding_of(self.file) if self.file else "utf-8"
        return _UNITS.get(encoding, 1), encoding

    def _split_lines(self, text: bytes) -> list[bytes]:
        unit, encoding = self._unit_and_encoding()
        if unit > 1:
            text = text.decode(encoding, "replace").encode()
        if b"\0" in text:
            text = _UTF16_RUN.sub(_without_nuls, text)
        parts = _NUL_RUN.split(text) if b"\0" in text else [text]
        lines = [line.removeprefix(_BOM) for part in parts for line in part.splitlines()]
        return [line for line in lines if line.strip()]

    def _is_ended_event(self, fresh: bytes, *, is_final: bool) -> bool:
        lines = self._split_lines(fresh)
        if len(lines) != 1 or not _is_complete_json(lines[0]):
            return False
        now, end = time.monotonic(), self.offset + len(fresh)
        if self._unended[0] != end:
            self._unended = (end, now)
        return is_final or now - self._unended[1] >= UNENDED_AFTER_S

    def _advance(self, file: FollowedFile, start: int, text: bytes) -> None:
        if not text:
            return
        back = min(start, DIGESTED_BYTES)
        before = file.read_at(start - back, back + len(text))
        self.offset, self.digest = start + len(text), digest_of(before[-DIGESTED_BYTES:])
        self.modified_ns, self._ahead = self.last_modified_ns(), []
        if not file.is_compressed:
            self._add_checkpoints(before, start - back, back)

    def _add_checkpoints(self, text: bytes, offset: int, back: int) -> None:
        """Remember ends of lines after `back` bytes of `text`: the last ones, and some of the earlier."""
        ends = [match.end() for match in re.finditer(rb"[\r\n]+", text) if match.end() > back]
        chosen = [*ends[:1], *ends[1:-RECENT_CHECKPOINTS:32], *ends[max(1, len(ends) - RECENT_CHECKPOINTS) :]]
        for end in chosen:
            window = text[max(0, end - DIGESTED_BYTES) : end]
            if len(window) == min(offset + end, DIGESTED_BYTES):
                self.checkpoints.append(Checkpoint(offset + end, digest_of(window)))
        if len(self.checkpoints) > MAX_CHECKPOINTS:
            first, *old = self.checkpoints[:-RECENT_CHECKPOINTS]
            self.checkpoints = [first, *old[::2], *self.checkpoints[-RECENT_CHECKPOINTS:]]


def parse_position(text: str) -> FilePosition:
    """Return the position stored as `text`; one stored by an older version has no digest or no line ends."""
    inode, offset, digest, modified_ns, marks, ends = [*text.split(":"), "", "", "", ""][:6]
    checkpoints = []
    for end in ends.split(";"):
        at, _, end_digest = end.partition("=")
        if end_digest:
            checkpoints.append(Checkpoint(int(at), end_digest))
    position = FilePosition(
        int(inode), int(offset), digest, int(modified_ns or 0), "f" in marks, "s" in marks, "d" in marks
    )  # fmt: skip
    if position.offset:
        position.checkpoints = checkpoints
    else:
        position.head = next(iter(checkpoints), None)
    return position


def _without_nuls(match: re.Match[bytes]) -> bytes:
    return match[0].removeprefix(codecs.BOM_UTF16_LE).replace(b"\0", b"")


def _find_aligned(text: bytes, end: bytes, unit: int) -> int:
    at = text.rfind(end)
    while at >= 0 and at % unit:
        at = text.rfind(end, 0, at + len(end) - 1)
    return at + len(end) if at >= 0 else 0


def _common_length(one: bytes, other: bytes) -> int:
    if other.startswith(one):
        return len(one)
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _is_complete_json(text: bytes) -> bool:
    """Return whether this is a complete JSON object; no part of one is valid."""
    if not text.lstrip().startswith(b"{"):
        return False
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        msgspec.json.decode(text)
        return True
    return False
