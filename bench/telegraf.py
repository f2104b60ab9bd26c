"""Lets Telegraf, where it is on PATH, drain the same backlog into the same kind of InfluxDB; for comparison only."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

from bench import frames
from bench.machine import cpu_delta, sample
from bench.progress import ProgressBar
from bench.sandbox import open_sandbox
from bench.servers import BUCKET, ORG, start_influxd, start_mosquitto
from bench.wire import create_session, publish_all

if TYPE_CHECKING:
    from bench.sandbox import BenchProcess
    from bench.servers import InfluxdProcess, MosquittoProcess

SESSION = "bench-telegraf"
FILTER = "motcua/v1/+/+/up"
BATCH_SIZE = 5_000
POLL_S = 0.1
SILENCE_S = 60.0
CONFIG_TEMPLATE = """[agent]
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
"""Qos 1, acknowledged after the write, batches of 5,000: its fastest persistent configuration."""


def find_telegraf() -> str | None:
    """Return where Telegraf is, None when it is not on PATH."""
    return shutil.which("telegraf")


def render_config(broker: int, database: InfluxdProcess, rows: int) -> str:
    """Return Telegraf's configuration: undelivered messages fill four batches, so that a batch never waits."""
    undelivered = max(100, 4 * BATCH_SIZE // rows)
    mqtt_values = {
        "batch": BATCH_SIZE,
        "limit": 20 * BATCH_SIZE,
        "broker": broker,
        "filter": FILTER,
        "session": SESSION,
    }
    influx_values = {"influxd": database.port, "token": database.token, "org": ORG, "bucket": BUCKET}
    return CONFIG_TEMPLATE.format(undelivered=undelivered, **mqtt_values, **influx_values)


def one_run(rows: int, events: int) -> dict[str, Any]:
    """Fill the broker's queue again and let Telegraf drain it; the database's own count shows when it is done."""
    program = find_telegraf()
    if program is None:
        raise SystemExit("telegraf is not on PATH")
    with open_sandbox() as sandbox:
        kiosks = frames.write_kiosks(sandbox.folder / "inventory")
        broker, database = start_mosquitto(sandbox), start_influxd(sandbox)
        create_session(broker.port, SESSION, FILTER, level=4)
        with ProgressBar(f"backlog for Telegraf, frames of {rows}", events // rows) as bar:
            publish_all(broker.port, frames.encode_packets(kiosks, events, rows), bar.step)
        conf = sandbox.folder / "telegraf.conf"
        conf.write_text(render_config(broker.port, database, rows), encoding="utf-8")
        before = sample(_pids(broker, database))
        process = sandbox.start("telegraf", [program, "--config", str(conf)], pattern="Connected [")
        sandbox.wait_until_ready(process, lambda: process.matched_at, "telegraf is connected")
        seconds = _wait_drained(database, process, events) - (process.matched_at or 0.0)
        after = sample(_pids(broker, database) | {"telegraf": process.pid})
        process.stop()
        return {
            "events_per_s": events / seconds,
            "messages_per_s": events // rows / seconds,
            "seconds": seconds,
            "stored": database.count_points(BUCKET, 'r._measurement == "event" and r._field == "n"'),
            "cpu_s": cpu_delta(before, after),
            "rss_peak_mb": {name: w.peak_mb for name, w in after.items()},
        }


def _pids(broker: MosquittoProcess, database: InfluxdProcess) -> dict[str, int]:
    return {"broker": broker.process.pid, "influxd": database.process.pid}


def _wait_drained(database: InfluxdProcess, process: BenchProcess, events: int) -> float:
    """Wait until the database has as many points as there are events; returns when the last was written."""
    first, written, last = database.written_points(), 0, time.perf_counter()
    with ProgressBar("drained by Telegraf", events) as bar:
        while written < events:
            time.sleep(POLL_S)
            now, gained = time.perf_counter(), database.written_points() - first - written
            if gained:
                written, last = written + gained, now
                bar.step(gained)
            elif not process.is_running or now - last > SILENCE_S:
                raise SystemExit(f"Telegraf wrote {written} of {events} points, no more come\n{process.log_tail()}")
    return last
