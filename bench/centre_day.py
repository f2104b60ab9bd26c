"""How soon a day's backlog of one centre is seen: 12 devices × 1,440 heartbeats arrive at once.

The clock runs from the broker's last PUBACK (all has arrived) until the API's availability of the centre and of each
device over these 24 hours is whole.

Run: python -m bench.centre_day [--store influx]
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from bench import frames, wire
from bench.api_client import Api
from bench.machine import Others, describe
from bench.progress import say
from bench.sandbox import room
from bench.servers import TOKEN, influxd, mosquitto
from bench.summary import rounded
from telemetry.core.calendar.windows import FIVE, HOUR, MINUTE, floor
from telemetry.core.protocol import codec, events as ev
from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CENTRE = "vn83-83"
DEVICES = 12
ROWS = 60
"""Events per frame, as agents send them."""
WITHIN_S = 120.0


def names(folder: Path) -> list[str]:
    """Write an inventory in which the centre has twelve devices and return them."""
    declared = [d.id for d in load(default_path()).devices.values() if d.centre == CENTRE and d.kind != "replay"]
    made = frames.devices(folder, DEVICES - len(declared), CENTRE)
    return [*declared, *(kiosk.device for kiosk in made)][:DEVICES]


def packets(devices: Sequence[str], end: int) -> Iterator[bytes]:
    """Yield the day before `end` as agents' compressed frames."""
    beats = 24 * HOUR // MINUTE
    number = 0
    for first in range(1, beats + 1, ROWS):
        for i, device in enumerate(devices):
            rows = range(first, min(first + ROWS, beats + 1))
            events = [ev.DeviceHeartbeat(n=n, t=end - (beats - n + 1) * MINUTE, cpu_pct=12.5, fw="1.4.2") for n in rows]
            spool, number = f"01JDAY{i:020}", number + 1
            bodies = [codec.encode_event(event) for event in events]
            payload = codec.compress(codec.encode_frame(spool, frames.BOOT, end, bodies))
            user = {"spool": spool, "from": str(rows[0]), "to": str(rows[-1])}
            told = wire.properties(codec.CONTENT_TYPE + codec.ZLIB, user)
            yield wire.publish(f"motcua/v1/{CENTRE}/{device}/up", told, payload, number)


def question(scope: str, end: int) -> str:
    """Return the path that asks for a scope's availability over the day."""
    ends = {name: f"{_utc(t)}" for name, t in (("from", end - 24 * HOUR), ("to", end))}
    asked = {"scope": scope, "bucket": "total", "clock": "wall", **ends}
    return f"/api/v1/availability?{urllib.parse.urlencode(asked)}"


def _utc(t: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t / 1000))


def whole(api: Api, scope: str, end: int) -> bool:
    """Tell whether every second of the day is known as up."""
    seconds: int = api.data(question(scope, end))[0]["seconds"]["up"]
    return seconds >= 24 * HOUR // 1000


def one_run(store: str) -> dict[str, Any]:
    """Return the seconds from arrival until the day is seen."""
    others = Others()
    with room() as place:
        devices = names(place.folder / "inventory")
        broker = mosquitto(place)
        url = influxd(place).url if store == "influx" else f"sqlite:///{place.folder / 'store.db'}"
        place.environ |= {"MOTCUA_INVENTORY": str(place.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        for name in ("ingest", "rollup"):
            role = place.role(name, "--store", url, "--mqtt", broker.url, watch="linked ")
            place.wait(role, lambda role=role: role.said_at, f"{name} is linked")  # type: ignore[misc]
        api = Api.start(place, url)
        end = floor(time.time_ns() // 1_000_000, FIVE)
        if whole(api, f"centre:{CENTRE}", end):
            raise SystemExit("the day was there before it came")
        receipts = wire.Receipts(broker.port)
        began = time.perf_counter()
        frames_sent = wire.load(broker.port, packets(devices, end), lambda _: None)
        arrived = time.perf_counter()
        rows = DEVICES * 24 * HOUR // MINUTE
        while receipts.rows < rows and receipts.take(wire.SILENCE_S):
            continue
        stored = time.perf_counter()
        _until_whole(api, devices, end)
        seen = time.perf_counter()
        return {
            "events": rows,
            "frames": frames_sent,
            "arriving_s": arrived - began,
            "stored_s": stored - arrived,
            "visible_s": seen - arrived,
            "others_pct": others.share_pct(),
        }


def _until_whole(api: Api, devices: Sequence[str], end: int) -> None:
    deadline = time.monotonic() + WITHIN_S
    for scope in (f"centre:{CENTRE}", *(f"device:{device}" for device in devices)):
        while not whole(api, scope, end):
            if time.monotonic() > deadline:
                raise SystemExit(f"{scope} is not whole within {WITHIN_S:g} s: {api.data(question(scope, end))}")
            time.sleep(0.1)


def measure(runs: int = 3, stores: Sequence[str] = ("influx", "sqlite")) -> dict[str, Any]:
    """Return, per store, the median and the worst (longest) until the day was visible."""
    found: dict[str, Any] = {}
    for store in stores:
        each = [one_run(store) for _ in range(runs)]
        took = sorted(run["visible_s"] for run in each)
        found[store] = {"median": took[len(took) // 2], "worst": took[-1], "runs": each}
        say(f"a centre's day into {store}: visible after {found[store]['median']:.1f} s, worst {took[-1]:.1f} s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.centre_day", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    parser.add_argument("--runs", type=int, default=1)
    args = parser.parse_args()
    found = measure(args.runs, (args.store,))
    print(json.dumps(rounded({"machine": describe(), "centre_day": found}), indent=2))


if __name__ == "__main__":
    main()
