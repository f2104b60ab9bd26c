"""How soon an event is on pages: from a device's outbox through broker, ingest, rollup and API to every open stream.

One kiosk takes a ticket every few seconds; all streams of one API process are read, and each must show the new number
of people waiting. With Chromium (playwright) the province's page is open too, and its change is timed in the page.

Run: python -m bench.live_updates [--streams 500] [--events 30] [--store sqlite]
"""

from __future__ import annotations

import argparse
import json
import selectors
import shutil
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import frames
from bench.api_client import ApiClient
from bench.machine import OtherWork, describe, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd, start_mosquitto
from bench.summary import percentiles, round_figures
from edge_agent.agent import Agent, AgentSettings
from edge_agent.agent_loop import AgentLoop
from edge_agent.outbox import Outbox
from motcua import system
from telemetry.core.protocol.events import TicketIssued
from telemetry.mqtt.address import parse_broker_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.sandbox import Sandbox

STREAMS = 500
EVENTS = 30
PAUSE_S = 2.3
"""Between two events; no whole number of rollup's passes, so that all places in a pass are met."""
MAX_WAIT_S = 20.0
_REQUEST = b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"


class StreamReaders:
    """Open event streams, all read by one thread; tells when each received a text for the first time."""

    def __init__(self, port: int, count: int) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        self._selector, self._stop = selectors.DefaultSelector(), threading.Event()
        self._text, self._arrivals = b"\0", dict[int, float]()
        for stream in self.sockets:
            stream.sendall(_REQUEST)
            stream.settimeout(0)
            self._selector.register(stream, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.1):
                part = key.fileobj.recv(262_144)  # type: ignore[union-attr]
                if self._text in part:
                    self._arrivals.setdefault(key.fd, time.perf_counter())

    def expect(self, text: bytes) -> None:
        """Begin to look for a text."""
        self._arrivals = {}
        self._text = text

    def arrivals(self) -> list[float]:
        """Wait until every stream has received the text, at most MAX_WAIT_S; returns when (`time.perf_counter`)."""
        deadline = time.perf_counter() + MAX_WAIT_S
        while len(self._arrivals) < len(self.sockets) and time.perf_counter() < deadline:
            time.sleep(0.01)
        return list(self._arrivals.values())

    def close(self) -> None:
        """End all streams."""
        self._stop.set()
        self._thread.join(5)
        for stream in self.sockets:
            stream.close()


@contextmanager
def open_page(url: str) -> Iterator[Callable[[int], float | None]]:
    """Open a page in Chromium; yields what waits until it shows a number and returns when, None without Chromium."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError:
        chromium = None
    if chromium is None:
        yield lambda _number: None
        return
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(url)
        page.locator("#live-word.is-on").wait_for()

        def shown_at(number: int) -> float | None:
            page.wait_for_function(_SHOWS, arg=number, timeout=1000 * MAX_WAIT_S)
            return time.perf_counter()

        yield shown_at
        browser.close()


_SHOWS = """number => Number(document.querySelector("#live-cards .big").textContent.replace(/\\D/g, "")) === number"""


def _start_agent(sandbox: Sandbox, broker: str) -> Outbox:
    kiosk = frames.write_kiosks(sandbox.folder / "inventory")[0]
    outbox = Outbox(sandbox.folder / "outbox.db", system.new_id)
    agent = Agent(
        AgentSettings(kiosk.device, kiosk.centre, parse_broker_url(broker)), outbox, system.agent_environment()
    )
    fleet = AgentLoop(system.monotonic_ms)
    fleet.add(agent)
    loop = threading.Thread(target=fleet.run, daemon=True)
    loop.start()
    sandbox.stack.callback(partial(loop.join, 10))
    sandbox.stack.callback(fleet.stop)
    return outbox


def _time_events(
    outbox: Outbox, readers: StreamReaders, shown_at: Callable[[int], float | None], events: int
) -> tuple[list[float], list[float]]:
    """Return how long each event takes to each stream and to the page, s; a first one warms everything up."""
    to_streams: list[float] = []
    to_page: list[float] = []
    with ProgressBar(f"events to {len(readers.sockets)} streams", events) as bar:
        for number in range(1, events + 2):
            readers.expect(b'"waiting":%d,' % number)
            ticket = TicketIssued(n=1, t=system.wall_ms(), ticket=f"live-{number}", queue="land", service="land")
            began = time.perf_counter()
            outbox.append([ticket])
            page_at, arrivals = shown_at(number), readers.arrivals()
            if number > 1:
                to_streams += [at - began for at in arrivals]
                to_page += [] if page_at is None else [page_at - began]
                bar.step()
            time.sleep(max(0.0, PAUSE_S - (time.perf_counter() - began)))
    return to_streams, to_page


def measure(streams: int = STREAMS, events: int = EVENTS, store: str = "sqlite") -> dict[str, Any]:
    """Return how long an event takes to all streams and to a page, s; `missing` streams did not get one in time."""
    others = OtherWork()
    with open_sandbox() as sandbox, ExitStack() as stack:
        broker = start_mosquitto(sandbox)
        url = start_influxd(sandbox).url if store == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        outbox = _start_agent(sandbox, broker.url)
        arguments = ("--store", url, "--mqtt", broker.url)
        ingest = sandbox.start_role("ingest", *arguments, pattern="linked ")
        sandbox.wait_until_ready(ingest, lambda: ingest.matched_at, "ingest is linked")
        sandbox.start_role("rollup", *arguments)
        api = ApiClient.start(sandbox, url)
        readers = StreamReaders(api.port, streams)
        stack.callback(readers.close)
        shown_at = stack.enter_context(open_page(f"http://127.0.0.1:{api.port}/?lang=en"))
        to_streams, to_page = _time_events(outbox, readers, shown_at, events)
        return {
            "streams": streams,
            "events": events,
            "missing": streams * events - len(to_streams),
            "to_streams": percentiles(to_streams),
            **({"to_page": percentiles(to_page)} if to_page else {}),
            "api_rss_mb": sample_process(api.process.pid).rss_mb,
            "others_pct": others.share_pct(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.live_updates", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="sqlite")
    args = parser.parse_args()
    result = measure(args.streams, args.events, args.store)
    print_message(f"live: p95 {result['to_streams']['p95']:.2f} s to {args.streams} streams")
    print(json.dumps(round_figures({"machine": describe(), "live": result}), indent=2))


if __name__ == "__main__":
    main()
