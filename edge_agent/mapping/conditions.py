"""The tests of a `when`: which rows a rule or a skip of a mapping applies to; they must not compute values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from edge_agent.mapping.expressions import ExpressionError

if TYPE_CHECKING:
    from edge_agent.mapping.cell_parsing import RowCells


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One test of one cell: `equals`, `in` or `not_empty` (false: must be empty)."""

    column: str
    equals: str | None = None
    any_of: tuple[str, ...] | None = msgspec.field(default=None, name="in")
    not_empty: bool | None = None

    def __post_init__(self) -> None:
        """Refuse none or several tests."""
        if sum(test is not None for test in (self.equals, self.any_of, self.not_empty)) != 1:
            raise ValueError("give exactly one of equals, in, not_empty")

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts with which the cell is compared."""
        return self.any_of or (() if self.equals is None else (self.equals,))

    def matches(self, row: RowCells) -> bool:
        """Return whether the row passes."""
        text = row[self.column]
        if self.not_empty is not None:
            return bool(text) == self.not_empty
        return text == self.equals if self.any_of is None else text in self.any_of


def parse_conditions(spec: object) -> tuple[Condition, ...]:
    """Return the tests of a `when`: one table, or a list of tables that must all hold."""
    try:
        return msgspec.convert(spec if isinstance(spec, list) else [spec], tuple[Condition, ...])
    except msgspec.ValidationError as error:
        raise ExpressionError(str(error), 'write for example { column = "outcome", equals = "AGENT" }') from None
