"""The panels of rendered dashboards and their queries, as Grafana would ask them; it must not know what they show."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
VARIABLE = re.compile(r"\$\{|\$\w")


@dataclass(frozen=True)
class PanelTarget:
    """One query of one panel: the dashboard's uid, the panel's title, the query with every variable filled."""

    board: str
    panel: str
    query: str


def panels_of(board: Json) -> Iterator[Json]:
    """Yield all panels but rows, those inside closed rows too."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels", [])


def targets_of(files: Mapping[str, str], language: str) -> Iterator[PanelTarget]:
    """Yield the queries in a language (`expr`: PromQL, `query`: Flux), with all values of every choice."""
    for path, text in files.items():
        if not path.startswith("grafana/"):
            continue
        board = json.loads(text)
        for panel in panels_of(board):
            for target in panel["targets"]:
                if language in target:
                    query = target[language].replace("${centre:regex}", ".*").replace("$centre", ".*")
                    assert not VARIABLE.search(query), (path, query)
                    yield PanelTarget(board["uid"], panel["title"], query)
