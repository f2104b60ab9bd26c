"""TCP proxies whose links can be cut, held back or slowed; they must not look at what they carry.

All run in one thread of their own; the switches may be turned from any thread.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

CHUNK = 64 * 1024
SLOW_CHUNK, SLOW_S = 700, 0.01


class Proxy:
    """One link: listens on `port`, goes on to `target`."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self.slow = self.refusing = False
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers = set[asyncio.StreamWriter]()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.refusing:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(far_writer)
            await self._join((reader, far_writer), (far_reader, writer))
            self._drop(far_writer)
        except OSError:
            pass
        finally:
            self._drop(writer)

    async def _join(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Carry both ways until one ends."""
        tasks = [asyncio.create_task(self._carry(*way)) for way in ways]
        _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._moving.wait()
            size = SLOW_CHUNK if self.slow else CHUNK
            for at in range(0, len(data), size):
                writer.write(data[at : at + size])
                if self.slow:
                    await asyncio.sleep(SLOW_S)
            await writer.drain()

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        """Close with a reset."""
        self._writers.discard(writer)
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def reset(self) -> None:
        """Reset every connection there is."""
        for writer in list(self._writers):
            self._drop(writer)

    async def hold(self) -> None:
        """Let nothing through, without a word."""
        self._moving.clear()

    async def let_go(self) -> None:
        self._moving.set()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._moving.set()
        await self.reset()


class Network:
    """The thread that carries all proxies."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self.links: dict[str, Proxy] = {}

    def link(self, name: str, target: int) -> Proxy:
        proxy = self.links[name] = Proxy(target)
        self._do(proxy.listen())
        return proxy

    def _do(self, work: Coroutine[object, object, None]) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(10)

    def cut(self, name: str, *, hold: bool) -> None:
        proxy = self.links[name]
        if hold:
            self._do(proxy.hold())
            return
        proxy.refusing = True
        self._do(proxy.reset())

    def mend(self, name: str, *, reset: bool) -> None:
        """End a cut; with `reset` what was swallowed is lost."""
        proxy = self.links[name]
        if reset:
            self._do(proxy.reset())
        proxy.refusing = False
        self._do(proxy.let_go())

    def close(self) -> None:
        for proxy in self.links.values():
            self._do(proxy.close())
        self._do(_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _rest() -> None:
    """Let every connection's task come to its end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
