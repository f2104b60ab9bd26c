"""Opens a byte stream to a device by TCP, serial line or device file, with deadlines; it must not parse the data."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from telemetry.source_settings import DeviceAddress

BUSY_ERRNOS = {errno.EBUSY, errno.EAGAIN}
RETRY_PAUSE_S = 0.02


class DeviceBusy(Exception):
    """Another program has the device open."""


class DeviceDisconnected(OSError):
    """The device closed the connection."""


class ByteStream:
    """An open stream; used as a context manager, it closes itself."""

    def __init__(self, descriptor: int, *, eof_is_disconnect: bool) -> None:
        self._fd = descriptor
        self._eof_is_disconnect = eof_is_disconnect
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def write(self, data: bytes, deadline: float) -> bool:
        """Send all of it; False when the device accepts no more before the deadline (monotonic s). Raises OSError."""
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(RETRY_PAUSE_S)
        return True

    def read(self, deadline: float) -> bytes:
        """Return the next bytes, none after the deadline (monotonic s). Raises OSError, DeviceDisconnected."""
        while (remaining_s := deadline - time.monotonic()) > 0:
            if not self._poll.poll(remaining_s * 1000):
                return b""
            try:
                data = os.read(self._fd, 4096)
            except BlockingIOError:
                data = b""
            else:
                if not data and self._eof_is_disconnect:
                    raise DeviceDisconnected(errno.EPIPE, "the device closed the connection")
            if data:
                return data
            time.sleep(min(RETRY_PAUSE_S, remaining_s))
        return b""

    def discard_input(self) -> None:
        """Discard the bytes that have already arrived. Raises OSError, DeviceDisconnected."""
        while self._poll.poll(0):
            if not self.read(time.monotonic() + RETRY_PAUSE_S):
                return

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the stream."""
        with suppress(OSError):
            os.close(self._fd)


def open_stream(address: DeviceAddress, timeout_s: float) -> ByteStream:
    """Open a stream. Raises DeviceBusy, OSError."""
    try:
        if address.scheme == "tcp":
            return _open_tcp(address, timeout_s)
        descriptor = os.open(address.location, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in BUSY_ERRNOS:
            raise DeviceBusy(str(error)) from error
        raise
    if address.scheme == "file":
        return ByteStream(descriptor, eof_is_disconnect=False)
    try:
        _set_raw_mode(descriptor, address.baud)
    except BaseException:
        os.close(descriptor)
        raise
    return ByteStream(descriptor, eof_is_disconnect=True)


def _open_tcp(address: DeviceAddress, timeout_s: float) -> ByteStream:
    connection = socket.create_connection((address.location, address.port), timeout_s)
    connection.setblocking(False)  # noqa: FBT003
    return ByteStream(connection.detach(), eof_is_disconnect=True)


def _set_raw_mode(descriptor: int, baud: int) -> None:
    """Set 8 data bits, no parity, no echo, no translation. Raises OSError."""
    import termios  # noqa: PLC0415 - only serial lines need it
    import tty  # noqa: PLC0415

    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise OSError(errno.EINVAL, f"baud: {baud} is not a speed of a serial line; use 9600, 19200, 38400 or 115200")
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        flags = termios.tcgetattr(descriptor)
        flags[2] |= termios.CLOCAL | termios.CREAD
        flags[4] = flags[5] = speed
        termios.tcsetattr(descriptor, termios.TCSANOW, flags)
    except termios.error as error:
        raise OSError(errno.ENOTTY, f"not a serial line: {error}") from error
