"""Reads the packaged dashboards and rules as text; it must not change them or depend on where they are installed.

Files below `dashboards/grafana` and `dashboards/rules`; the rules' own tests are left out.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX_BY_FOLDER = {"grafana": ".json", "rules": ".yaml"}
"""Folder: suffix of the files that are read from it; subfolders are not included."""


def load_provisioned_files() -> Mapping[str, str]:
    """Return {path below `dashboards/`: text}, in order of path, from a checkout or a wheel alike."""
    text_by_path = {
        f"{folder}/{item.name}": item.read_text(encoding="utf-8")
        for folder, ending in SUFFIX_BY_FOLDER.items()
        for item in resources.files("dashboards").joinpath(folder).iterdir()
        if item.is_file() and item.name.endswith(ending)
    }
    return dict(sorted(text_by_path.items()))
