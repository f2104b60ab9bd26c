"""What the tests of several sources share: an outbox of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Return an empty outbox; it is closed at the end."""
    box = Outbox(tmp_path / "o.db", lambda: "s")
    yield box
    box.close()
