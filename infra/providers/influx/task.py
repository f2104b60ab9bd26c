"""Flux tasks of an InfluxDB. It must not send anything but the Flux text as what a task does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from infra.providers.influx import marks
from infra.providers.influx.fields import flag, ident_fault, must, text, word
from infra.providers.influx.resource import Thing, rows
from infra.providers.resource_kind import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

PAGE: Final = 500


def normal(flux: object) -> str:
    """Return a Flux text without what has no meaning at the ends of its lines."""
    return "\n".join(line.rstrip() for line in str(flux).strip().splitlines())


class Task(Thing):
    """A task by organisation and name, which stands in a mark: InfluxDB's own names are not unique.

    Period and shown name stand in the Flux text (`option task`). It runs with the rights of the token's user.
    """

    fields: ClassVar = {
        "org": must(), "name": must(), "flux": must(), "active": flag(default=True), "description": text(""),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    fixed: ClassVar = frozenset({"name"})
    delete_first: ClassVar = True
    outlives: ClassVar = True
    path: ClassVar = "/tasks"
    noun: ClassVar = "task"

    def faults(self, olds: Props, props: Props) -> list[Failure]:  # noqa: ARG002 - as the kind asks
        """Return what is wrong with name and text."""
        flux = word(props, "flux")
        lacks = flux != "" and "option task" not in flux
        said = [Failure("flux", "has no `option task = {name: …, every: …}`; write it at the top")] if lacks else []
        return [*ident_fault("name", props.get("name")), *said]

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values mean the same; blanks at the ends of lines do not count."""
        return normal(old) == normal(new) if name == "flux" else super().same(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or bring what an earlier run made to the inputs."""
        org_id = self.org_id(word(inputs, "org"))
        found = self.there(inputs, org_id)
        if found is None:
            said = self._client.post(self.path, {"orgID": org_id, **self._told(inputs)})
        else:
            said = self._client.patch(f"{self.path}/{found['id']}", self._told(inputs))
        return str(said["id"]), {**inputs, **self.computed(said)}

    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the task with this mark."""
        wanted = word(inputs, "name")
        return next((one for one in self._all(org_id) if self.ours(one) and _name(one) == wanted), None)

    def _all(self, org_id: str) -> Iterator[Json]:
        """Yield every task of the organisation, page by page."""
        page = rows(self._client.get(self.path, orgID=org_id, limit=PAGE), "tasks")
        while page:
            yield from page
            page = rows(self._client.get(self.path, orgID=org_id, limit=PAGE, after=str(page[-1]["id"])), "tasks")

    def _told(self, inputs: Props) -> dict[str, object]:
        described = self.mark(word(inputs, "name")).on(word(inputs, "description"))
        status = "active" if inputs.get("active") is not False else "inactive"
        return {"flux": word(inputs, "flux"), "status": status, "description": described}

    def seen(self, said: Json, outputs: Props) -> Props:
        """Return text, state and description as they are."""
        alike = normal(said.get("flux")) == normal(outputs.get("flux"))
        flux = outputs["flux"] if alike else word(said, "flux")
        return {"flux": flux, "active": said.get("status") == "active", "description": self.told(said, outputs)}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - as Thing asks
        """Bring text, state and description to the inputs."""
        return self._client.patch(f"{self.path}/{ident}", self._told(news))


def _name(said: Json) -> str:
    mark = marks.read(said.get("description"))
    return mark.ident if mark else ""
