"""The pages of both stores are the same, letter by letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.contract.conftest import OPENERS
from tests.page_examples import EXAMPLES, page_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.program.network import Network

CHANGING = re.compile(r"<dd>\d+</dd>(?=\s*<dt>Id)|data-now=\"\d+\"")
"""What may differ: the live row's version."""


@pytest.fixture(scope="module")
def networks(request: pytest.FixtureRequest) -> Iterator[list[Network]]:
    """The same morning and week in a store of each kind."""
    made = [page_network(OPENERS[name](request)()) for name in sorted(OPENERS)]
    yield made
    for net in made:
        net.store.close()


@pytest.mark.parametrize("address", [address for addresses in EXAMPLES.values() for address in addresses])
def test_a_page_has_the_same_figures_on_every_store(networks: list[Network], address: str) -> None:
    texts = [net.client.get(address, headers={"Accept": "text/html", "Accept-Language": "vi"}).text for net in networks]
    first, second = (CHANGING.sub("", text).splitlines() for text in texts)
    assert first == second
    assert len(first) > 20
