"""Makes events of a queue system's own objects through a replay mapping; it must not know where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from edge_agent.mapping.cell_parsing import CellError
from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.expressions import ReplayContext
from edge_agent.sources.parsing import BadEvent, refuse_personal_data

if TYPE_CHECKING:
    from edge_agent.mapping.document import ReplayMapping
    from telemetry.core.protocol.events import Event


@dataclass(frozen=True, slots=True)
class RowMapper:
    """One mapping; ticket ids are made from its name, so that they stay when its rules are corrected."""

    mapping: ReplayMapping
    context: ReplayContext

    @classmethod
    def load(cls, name_or_path: str) -> Self:
        """Load a mapping. Raises MappingError with all its faults."""
        mapping = load_mapping(name_or_path)
        return cls(mapping, ReplayContext(mapping.zone, mapping.service_by_value, f"queue:{mapping.name}"))

    def map_object(self, value: dict[str, Any]) -> list[Event]:
        """Return the object's events, none when a skip or no rule wants it. Raises BadEvent."""
        row = dict.fromkeys(self.mapping.columns, "") | flatten(value)
        if any(all(test.matches(row) for test in skip.when) for skip in self.mapping.skips):
            return []
        try:
            events = [rule.build_event(1, row, self.context, "") for rule in self.mapping.rules if rule.applies(row)]
        except CellError as error:
            raise BadEvent(error.column, error.problem, error.remedy) from None
        for event in events:
            refuse_personal_data(event)
        return events


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the object as one row of text: `{"ticket": {"no": 7}}` has the column `ticket.no`."""
    row: dict[str, str] = {}
    for key, part in value.items():
        if isinstance(part, dict):
            row |= flatten(part, f"{prefix}{key}.")
        else:
            row[f"{prefix}{key}"] = "" if part is None else str(part).strip()
    return row
