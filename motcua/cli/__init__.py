"""The `motcua` command line: one module for each group of commands, and the options they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file with settings; they take precedence over MOTCUA_… variables.")
]
StoreOption = Annotated[
    str | None, typer.Option(help="Store URL: sqlite:///PATH or influxdb+http://HOST:PORT?org=O&bucket=B.")
]
MqttOption = Annotated[str | None, typer.Option(help="Broker URL: mqtt://HOST:PORT, or mqtts:// with TLS.")]
