"""Flux tasks of an InfluxDB. It must not send anything but the Flux text as what a task does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import AfterValidator

from infra.providers.influx.resource import InfluxKind, TagName, as_text, items_in, parse_tag
from infra.providers.resource_kind import KindInputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props

PAGE_SIZE: Final = 500


def normalise_flux(flux: object) -> str:
    """Return a Flux text without blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in str(flux).strip().splitlines())


def _check_task_option(flux: str) -> str:
    if "option task" not in flux:
        raise ValueError("has no `option task = {name: …, every: …}`; write it at the top")
    return flux


class TaskInputs(KindInputs):
    """The inputs of TaskKind."""

    org: str
    name: TagName
    flux: Annotated[str, AfterValidator(_check_task_option)]
    active: bool = True
    description: str = ""


class TaskKind(InfluxKind):
    """A task by organisation and name, which is in the ownership tag: InfluxDB's own names are not unique.

    Period and displayed name are in the Flux text (`option task`). It runs with the rights of the token's user.
    """

    model: ClassVar = TaskInputs
    immutable: ClassVar = frozenset({"name"})
    delete_first: ClassVar = True
    survives_org_deletion: ClassVar = True
    api_path: ClassVar = "/tasks"
    noun: ClassVar = "task"

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Return whether two values mean the same; blanks at the ends of lines are ignored."""
        return normalise_flux(old) == normalise_flux(new) if name == "flux" else super().is_equivalent(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or update the one of an earlier run."""
        org_id = self.require_org_id(as_text(inputs, "org"))
        existing = self.find_by_name(inputs, org_id)
        if existing is None:
            answer = self._client.post(self.api_path, {"orgID": org_id, **self._request_body(inputs)})
        else:
            answer = self._client.patch(f"{self.api_path}/{existing['id']}", self._request_body(inputs))
        return str(answer["id"]), {**inputs, **self.computed_outputs(answer)}

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return the server's answer for the task with this tag."""
        wanted = as_text(inputs, "name")
        return next(
            (task for task in self._list_tasks(org_id) if self.is_ours(task) and _tagged_name(task) == wanted), None
        )

    def _list_tasks(self, org_id: str) -> Iterator[Json]:
        """Yield every task of the organisation, page by page."""
        page = items_in(self._client.get(self.api_path, orgID=org_id, limit=PAGE_SIZE), "tasks")
        while page:
            yield from page
            page = items_in(
                self._client.get(self.api_path, orgID=org_id, limit=PAGE_SIZE, after=str(page[-1]["id"])), "tasks"
            )

    def _request_body(self, inputs: Props) -> dict[str, object]:
        described = self.ownership_tag(as_text(inputs, "name")).prepend_to(as_text(inputs, "description"))
        status = "active" if inputs.get("active") is not False else "inactive"
        return {"flux": as_text(inputs, "flux"), "status": status, "description": described}

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return text, state and description as they are."""
        alike = normalise_flux(answer.get("flux")) == normalise_flux(outputs.get("flux"))
        flux = outputs["flux"] if alike else as_text(answer, "flux")
        return {
            "flux": flux,
            "active": answer.get("status") == "active",
            "description": self.description_input(answer, outputs),
        }

    def apply(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - only some kinds need all
        """Apply text, state and description."""
        return self._client.patch(f"{self.api_path}/{ident}", self._request_body(news))


def _tagged_name(answer: Json) -> str:
    tag = parse_tag(answer.get("description"))
    return tag.resource_name if tag else ""
