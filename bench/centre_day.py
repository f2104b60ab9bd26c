"""How soon a day's backlog of one centre is visible: 12 devices × 1,440 heartbeats arrive at once.

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
from bench.api_client import ApiClient
from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd, start_mosquitto
from bench.summary import round_figures
from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, floor
from telemetry.core.protocol import codec, events as ev
from telemetry.core.scope import Scope
from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CENTRE = "vn83-83"
DEVICES = 12
ROWS_PER_FRAME = 60
"""Events per frame, as agents send them."""
TIMEOUT_S = 120.0


def declare_devices(folder: Path) -> list[str]:
    """Write an inventory in which the centre has twelve devices and return them."""
    declared = [d.id for d in load(default_path()).devices.values() if d.centre == CENTRE and d.kind != "replay"]
    kiosks = frames.write_kiosks(folder, DEVICES - len(declared), CENTRE)
    return [*declared, *(kiosk.device for kiosk in kiosks)][:DEVICES]


def day_packets(devices: Sequence[str], end: int) -> Iterator[bytes]:
    """Yield the day before `end` as agents' compressed frames."""
    beats = 24 * HOUR // MINUTE
    number = 0
    for first in range(1, beats + 1, ROWS_PER_FRAME):
        for i, device in enumerate(devices):
            rows = range(first, min(first + ROWS_PER_FRAME, beats + 1))
            events = [ev.DeviceHeartbeat(n=n, t=end - (beats - n + 1) * MINUTE, cpu_pct=12.5, fw="1.4.2") for n in rows]
            outbox_id, number = f"01JDAY{i:020}", number + 1
            bodies = [codec.encode_event(event) for event in events]
            payload = codec.compress(codec.encode_frame(outbox_id, frames.BOOT, end, bodies))
            user = {"spool": outbox_id, "from": str(rows[0]), "to": str(rows[-1])}
            properties = wire.encode_properties(codec.CONTENT_TYPE + codec.ZLIB_SUFFIX, user)
            yield wire.encode_publish(f"motcua/v1/{CENTRE}/{device}/up", properties, payload, number)


def availability_path(scope: str, end: int) -> str:
    """Return the path that asks for a scope's availability over the day."""
    ends = {name: f"{_format_utc(t)}" for name, t in (("from", end - 24 * HOUR), ("to", end))}
    parameters = {"scope": scope, "bucket": "total", "clock": "wall", **ends}
    return f"/api/v1/availability?{urllib.parse.urlencode(parameters)}"


def _format_utc(t: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t / 1000))


def is_day_up(api: ApiClient, scope: str, end: int) -> bool:
    """Return whether every second of the day is known to be up."""
    seconds: int = api.get_data(availability_path(scope, end))[0]["seconds"]["up"]
    return seconds >= 24 * HOUR // 1000


def one_run(store: str) -> dict[str, Any]:
    """Return the seconds from arrival until the day is visible."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        devices = declare_devices(sandbox.folder / "inventory")
        broker = start_mosquitto(sandbox)
        url = start_influxd(sandbox).url if store == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        for name in ("ingest", "rollup"):
            role = sandbox.start_role(name, "--store", url, "--mqtt", broker.url, pattern="linked ")
            sandbox.wait_until_ready(role, lambda role=role: role.matched_at, f"{name} is linked")  # type: ignore[misc]
        api = ApiClient.start(sandbox, url)
        end = floor(time.time_ns() // 1_000_000, SLOT)
        if is_day_up(api, Scope.centre(CENTRE), end):
            raise SystemExit("the day was there before it came")
        receipts = wire.ReceiptCounter(broker.port)
        began = time.perf_counter()
        frames_sent = wire.publish_all(broker.port, day_packets(devices, end), lambda _: None)
        arrived_at = time.perf_counter()
        rows = DEVICES * 24 * HOUR // MINUTE
        while receipts.rows < rows and receipts.poll(wire.SILENCE_S):
            continue
        stored_at = time.perf_counter()
        _wait_day_up(api, devices, end)
        visible_at = time.perf_counter()
        return {
            "events": rows,
            "frames": frames_sent,
            "arriving_s": arrived_at - began,
            "stored_s": stored_at - arrived_at,
            "visible_s": visible_at - arrived_at,
            "others_pct": others.share_pct(),
        }


def _wait_day_up(api: ApiClient, devices: Sequence[str], end: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    for scope in (Scope.centre(CENTRE), *(Scope.device(device) for device in devices)):
        while not is_day_up(api, scope, end):
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"{scope} is not whole within {TIMEOUT_S:g} s: {api.get_data(availability_path(scope, end))}"
                )
            time.sleep(0.1)


def measure(runs: int = 3, stores: Sequence[str] = ("influx", "sqlite")) -> dict[str, Any]:
    """Return, per store, the median and the worst (longest) until the day was visible."""
    results: dict[str, Any] = {}
    for store in stores:
        each = [one_run(store) for _ in range(runs)]
        took = sorted(run["visible_s"] for run in each)
        results[store] = {"median": took[len(took) // 2], "worst": took[-1], "runs": each}
        print_message(
            f"a centre's day into {store}: visible after {results[store]['median']:.1f} s, worst {took[-1]:.1f} s"
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.centre_day", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    parser.add_argument("--runs", type=int, default=1)
    args = parser.parse_args()
    results = measure(args.runs, (args.store,))
    print(json.dumps(round_figures({"machine": describe(), "centre_day": results}), indent=2))


if __name__ == "__main__":
    main()
