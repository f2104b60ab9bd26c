"""What every answer shares: the base of all models, the envelope and its meta; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.times import rfc3339
from telemetry.core.figures.accounting import reaches_floor
from telemetry.core.slo.periods import settled_until

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre
    from telemetry.queries.service import Queries

Data = TypeVar("Data")


_SOURCE_BY_FIELD: dict[tuple[object, ...], tuple[tuple[str, int], ...]] = {}
"""By model, own fields and types of the sources: each other field and the source that has it."""
_OWN = -1
_PLAIN_FIELDS: dict[tuple[object, ...], tuple[tuple[str, str, int], ...]] = {}
"""By the same: each field's names in JSON and here, and the source that has it (_OWN: none), in order."""


class ApiModel(BaseModel):
    """What all models of the API share."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @classmethod
    def build(cls, *sources: object, **own: object) -> Self:
        """Return the model: each field from `own`, or from the first of `sources` with an attribute of its name."""
        key = (cls, tuple(own), *map(type, sources))
        places = _SOURCE_BY_FIELD.get(key)
        if places is None:
            places = _SOURCE_BY_FIELD[key] = tuple(
                (name, index)
                for name in cls.model_fields.keys() - own.keys()
                if (index := next((i for i, source in enumerate(sources) if hasattr(source, name)), None)) is not None
            )
        for name, index in places:
            own[name] = getattr(sources[index], name)
        return cls.model_validate(own)

    @classmethod
    def plain_values(cls, *sources: object, **own: object) -> dict[str, object]:
        """Return what `build` of the same would be dumped as, unchecked: long lists of models take too long to build.

        Values of `own` that are models must be plain themselves.  Raises AttributeError without a source of a field.
        """
        key = (cls, tuple(own), *map(type, sources))
        fields = _PLAIN_FIELDS.get(key)
        if fields is None:
            fields = _PLAIN_FIELDS[key] = tuple(
                (
                    info.serialization_alias or name,
                    name,
                    _OWN if name in own else next((i for i, s in enumerate(sources) if hasattr(s, name)), 0),
                )
                for name, info in cls.model_fields.items()
            )
        return {alias: own[name] if index == _OWN else getattr(sources[index], name) for alias, name, index in fields}


def window_fields(window: Window, zone: ZoneInfo) -> dict[str, str]:
    """Return a window as the fields `from_` and `to`."""
    return {"from_": rfc3339(window.start, zone), "to": rfc3339(window.end, zone)}


class ResponseMeta(ApiModel):
    """The origin of an answer; `revision` rises with every live update.

    Time before `settled_until` is settled; `calendar_version` is that of the answer's only centre.
    """

    as_of: str
    revision: int
    timezone: str
    inventory_version: str
    settled_until: str
    calendar_version: str | None = None
    simulated: bool = False

    @classmethod
    def current(
        cls, queries: Queries, zone: ZoneInfo | None = None, centre: Centre | None = None, **own: object
    ) -> Self:
        """Return the meta of an answer computed now; with a centre also its calendar's version.

        `own` are the fields that a subclass adds or that differ.
        """
        inventory, snapshot, now = queries.inventory(), queries.snapshot(), queries.now()
        local_zone = zone or inventory.zone
        fields: dict[str, object] = {
            "as_of": rfc3339(now, local_zone),
            "revision": snapshot.version,
            "timezone": local_zone.key,
            "inventory_version": inventory.version,
            "settled_until": rfc3339(settled_until(now, local_zone), local_zone),
            "calendar_version": centre.calendar.version if centre else None,
            "simulated": inventory.simulated or any(row.simulated for row in snapshot.centres.values()),
        }
        return cls.build(**{**fields, **own})


class WindowMeta(ResponseMeta):
    """The window really used: `from` and `to` widened to whole slots of 5 minutes."""

    from_: str = Field(serialization_alias="from")
    to: str
    coverage: float | None
    coverage_sufficient: bool | None

    @classmethod
    def for_window(
        cls, queries: Queries, window: Window, zone: ZoneInfo, coverage: float | None, centre: Centre | None = None,
        **own: object,
    ) -> Self:  # fmt: skip
        """Return the meta of an answer about a window; `centre` is the one whose calendar counted.

        `own` are the fields that a subclass adds.
        """
        sufficient = reaches_floor(coverage, queries.inventory().coverage_floor)
        fields: dict[str, object] = {"coverage": coverage, "coverage_sufficient": sufficient}
        return cls.current(queries, zone, centre, **fields, **window_fields(window, zone), **own)


class Envelope(ApiModel, Generic[Data]):
    """Every answer: data, their origin, and the cursor of the next page."""

    data: Data
    meta: ResponseMeta
    next: str | None = None


class WindowEnvelope(ApiModel, Generic[Data]):
    """An answer about a window."""

    data: list[Data]
    meta: WindowMeta
    next: str | None = None
