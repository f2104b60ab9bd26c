"""Lets Telegraf, where it is on PATH, drain the same backlog into the same kind of InfluxDB; for comparison only."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

from bench import frames
from bench.machine import used, weigh
from bench.progress import Bar
from bench.sandbox import room
from bench.servers import BUCKET, ORG, influxd, mosquitto
from bench.wire import leave_session, load

if TYPE_CHECKING:
    from bench.sandbox import Process
    from bench.servers import Broker, Influx

SESSION = "bench-telegraf"
FILTER = "motcua/v1/+/+/up"
BATCH = 5_000
POLL_S = 0.1
SILENCE_S = 60.0
CONFIG = """[agent]
  interval = "1s"
  flush_interval = "1s"
  flush_jitter = "0s"
  metric_batch_size = {batch}
  metric_buffer_limit = {limit}
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{broker}"]
  topics = ["{filter}"]
  topic_tag = ""
  qos = 1
  client_id = "{session}"
  persistent_session = true
  max_undelivered_messages = {undelivered}
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "motcua/v1/+/+/up"
    tags = "_/_/centre/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "event"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "events"
      timestamp_key = "t"
      timestamp_format = "unix_ms"
      tags = ["type"]

[[outputs.influxdb_v2]]
  urls = ["http://127.0.0.1:{influxd}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
  content_encoding = "gzip"
"""
"""Qos 1, acknowledged after the write, batches of 5,000: its persistent way at its best."""


def path() -> str | None:
    """Return where Telegraf is, None when it is not on PATH."""
    return shutil.which("telegraf")


def config(broker: int, database: Influx, rows: int) -> str:
    """Return Telegraf's configuration: undelivered messages fill four batches, so that a batch never waits."""
    undelivered = max(100, 4 * BATCH // rows)
    told = {"batch": BATCH, "limit": 20 * BATCH, "broker": broker, "filter": FILTER, "session": SESSION}
    where = {"influxd": database.port, "token": database.token, "org": ORG, "bucket": BUCKET}
    return CONFIG.format(undelivered=undelivered, **told, **where)


def one_run(rows: int, events: int) -> dict[str, Any]:
    """Fill the broker's queue again and let Telegraf drain it; the database's own count says when it is done."""
    program = path()
    if program is None:
        raise SystemExit("telegraf is not on PATH")
    with room() as place:
        made = frames.devices(place.folder / "inventory")
        broker, database = mosquitto(place), influxd(place)
        leave_session(broker.port, SESSION, FILTER, level=4)
        with Bar(f"backlog for Telegraf, frames of {rows}", events // rows) as bar:
            load(broker.port, frames.packets(made, events, rows), bar.step)
        conf = place.folder / "telegraf.conf"
        conf.write_text(config(broker.port, database, rows), encoding="utf-8")
        before = weigh(_pids(broker, database))
        process = place.start("telegraf", [program, "--config", str(conf)], watch="Connected [")
        place.wait(process, lambda: process.said_at, "telegraf is connected")
        seconds = _until_all(database, process, events) - (process.said_at or 0.0)
        after = weigh(_pids(broker, database) | {"telegraf": process.pid})
        process.end()
        return {
            "events_per_s": events / seconds,
            "messages_per_s": events // rows / seconds,
            "seconds": seconds,
            "stored": database.count(BUCKET, 'r._measurement == "event" and r._field == "n"'),
            "cpu_s": used(before, after),
            "rss_peak_mb": {name: w.peak_mb for name, w in after.items()},
        }


def _pids(broker: Broker, database: Influx) -> dict[str, int]:
    return {"broker": broker.process.pid, "influxd": database.process.pid}


def _until_all(database: Influx, process: Process, events: int) -> float:
    """Wait until the database has taken in as many points as there are events; returns when the last came."""
    first, seen, last = database.points(), 0, time.perf_counter()
    with Bar("drained by Telegraf", events) as bar:
        while seen < events:
            time.sleep(POLL_S)
            now, gained = time.perf_counter(), database.points() - first - seen
            if gained:
                seen, last = seen + gained, now
                bar.step(gained)
            elif not process.running or now - last > SILENCE_S:
                raise SystemExit(f"Telegraf wrote {seen} of {events} points, no more come\n{process.text()}")
    return last
