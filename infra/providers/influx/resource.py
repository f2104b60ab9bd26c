"""What InfluxDB's kinds share: checks by table, reading with proof of the server, taking over by name or mark."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.influx import fields as tables, marks
from infra.providers.influx.fields import as_text
from infra.providers.influx.marks import OwnershipTag
from infra.providers.resource_kind import ProviderError, ResourceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.influx.client import InfluxClient, Json
    from infra.providers.influx.fields import InputField
    from infra.providers.resource_kind import InputFault, Props


def items_in(answer: Json | None, name: str) -> list[Json]:
    """Return a list of an answer, empty when there is none."""
    return cast("list[Json]", (answer or {}).get(name) or [])


def first_item_in(answer: Json | None, name: str) -> Json | None:
    """Return the first of an answer's list, None when it is empty."""
    return next(iter(items_in(answer, name)), None)


class InfluxKind(ABC):
    """A kind below one API path; what one kind does otherwise it overrides."""

    input_fields: ClassVar[Mapping[str, InputField]]
    inputs: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]] = frozenset()
    secret_outputs: ClassVar[tuple[str, ...]] = ()
    permission_inputs: ClassVar[frozenset[str]] = frozenset({"adopt", "allow_shrink"})
    """Inputs that only permit something: to change them changes nothing."""
    delete_first: ClassVar[bool] = False
    survives_org_deletion: ClassVar[bool] = False
    """Whether InfluxDB keeps it, useless, when its organisation is deleted."""
    api_path: ClassVar[str]
    noun: ClassVar[str]

    def __init__(self, client: InfluxClient, accept_new: bool = False) -> None:  # noqa: FBT001, FBT002 - KINDS gives it so
        self._client = client
        self._accept_new = accept_new

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Return the inputs with defaults, and what is wrong with them."""
        props, failures = tables.check_fields(self.input_fields, news)
        faulty_fields = {failure.field for failure in failures}
        return props, failures + [fault for fault in self.input_faults(olds, props) if fault.field not in faulty_fields]

    def input_faults(self, olds: Props, props: Props) -> list[InputFault]:  # noqa: ARG002 - for who has more to check
        """Return what is wrong beyond types."""
        return tables.tag_name_faults("name", props.get("name"))

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values of an input mean the same."""
        return name in self.permission_inputs or old == new

    @abstractmethod
    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over what is there and ours, or may be adopted. Returns id and outputs."""

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Bring it to `news`; `olds` are the outputs of before. Returns all outputs."""
        if olds.get("org") != news.get("org"):
            self._refuse_org_move(olds, news)
        server_outputs = {name: value for name, value in olds.items() if name not in self.inputs}
        return {**server_outputs, **news, **self.computed_outputs(self.apply(ident, olds, news))}

    def _refuse_org_move(self, olds: Props, news: Props) -> None:
        """Take another name of the same organisation; to replace a thing for it would lose data and tokens."""
        if self.require_org_id(as_text(news, "org")) != as_text(olds, "org_id"):
            raise ProviderError(
                f"{self.noun} {as_text(news, 'name')!r} lies in organisation {as_text(olds, 'org')!r} "
                f"and cannot move to "
                f"{as_text(news, 'org')!r}; take it out of the plan for one run, which deletes it, or keep it there"
            )

    @abstractmethod
    def apply(self, ident: str, olds: Props, news: Props) -> Json:
        """Bring it to `news` in its organisation; returns what the server tells then."""

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return what is there; None only when the same server says that it is gone."""
        answer = self.fetch(ident, outputs)
        if answer is None:
            self.confirm_deleted(outputs)
            return None
        moved = as_text(outputs, "org_id") not in {"", str(answer.get("orgID", ""))}
        if moved or (self.survives_org_deletion and self._client.find(f"/orgs/{answer['orgID']}") is None):
            self.refuse_other_server(outputs)
            return None
        return self.to_state(answer, outputs)

    def locate(self, inputs: Props) -> ResourceState | None:
        """Return what of this name is there, without any state; None when there is nothing."""
        org = self.find_org(as_text(inputs, "org"))
        answer = self.find_by_name(inputs, str(org["id"])) if org else None
        return None if answer is None else self.to_state(answer, {**inputs, "adopted": not self.is_ours(answer)})

    def to_state(self, answer: Json, outputs: Props) -> ResourceState:
        """Return what the server tells as outputs and inputs; `outputs` are those of before."""
        actual_inputs = self.to_inputs(answer, outputs)
        inputs = {
            name: value
            for name, value in {**outputs, **actual_inputs}.items()
            if name in self.inputs and value is not None
        }
        return ResourceState(str(answer["id"]), {**outputs, **actual_inputs, **self.computed_outputs(answer)}, inputs)

    @abstractmethod
    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the thing of this name, or of this mark."""

    def fetch(self, ident: str, outputs: Props) -> Json | None:  # noqa: ARG002 - for who needs more to ask
        """Return what the server tells of the thing."""
        return self._client.find(f"{self.api_path}/{ident}")

    @abstractmethod
    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return the inputs that would make the thing as the server tells it."""

    def computed_outputs(self, answer: Json) -> Props:
        """Return what the server adds."""
        return {"org_id": str(answer["orgID"]), "instance": self._client.cached_operator_id()}

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it; what was taken over stays."""
        if outputs.get("adopted") is True:
            return
        if not self._client.delete(f"{self.api_path}/{ident}"):
            self.confirm_deleted(outputs)

    # --- whose server, whose thing ------------------------------------------------------------

    def confirm_deleted(self, outputs: Props) -> None:
        """Prove that this is the server that had the thing. Raises ProviderError when another one answers."""
        if self._client.find(f"/orgs/{outputs['org_id']}") is None:
            self.refuse_other_server(outputs)

    def refuse_other_server(self, outputs: Props) -> None:
        """Raise ProviderError, unless it is the same server without the organisation, or a new one is accepted."""
        if self._accept_new or as_text(outputs, "instance") == self._client.fetch_operator_id():
            return
        raise ProviderError(
            f"another InfluxDB answers at {self._client.url}: it does not know organisation "
            f"{outputs.get('org_id')}, "
            f"to which {self.noun} {as_text(outputs, 'name')!r} belongs. Correct the address (config "
            f"motcua:influx, url); "
            "if the old server is lost for good, set motcua:influx, acceptNew for one run"
        )

    def require_org_id(self, name: str) -> str:
        """Return the id of an organisation."""
        org = self.find_org(name)
        if org is None:
            raise ProviderError(f"InfluxDB at {self._client.url} has no organisation {name!r}; make it first")
        return str(org["id"])

    def find_org(self, name: str) -> Json | None:
        """Return what the server tells of an organisation."""
        return first_item_in(self._client.find("/orgs", org=name), "orgs")

    def find_bucket(self, org_id: str, name: str) -> Json | None:
        """Return what the server tells of a bucket."""
        return first_item_in(self._client.find("/buckets", orgID=org_id, name=name), "buckets")

    def require_bucket_id(self, org_id: str, name: str) -> str:
        """Return the id of a bucket."""
        bucket = self.find_bucket(org_id, name)
        if bucket is None:
            raise ProviderError(
                f"InfluxDB at {self._client.url} has no bucket {name!r} in this organisation; make it first"
            )
        return str(bucket["id"])

    def bucket_name(self, ident: object) -> str:
        """Return the name of a bucket, empty when it is gone."""
        return as_text(self._client.find(f"/buckets/{ident}") or {}, "name")

    def ownership_tag(self, ident: str = "", digest: str = "") -> OwnershipTag:
        """Return the mark of what this stack makes."""
        return OwnershipTag(self._client.owner, ident, digest)

    def is_ours(self, answer: Json) -> bool:
        """Tell whether this stack made it."""
        tag = marks.parse_tag(answer.get("description"))
        return tag is not None and tag.belongs_to(self._client.owner)

    def check_adoption(self, existing: Json, inputs: Props) -> bool:
        """Return whether a thing of this name is somebody else's; raises ProviderError unless it may be adopted."""
        if self.is_ours(existing):
            return False
        if inputs.get("adopt") is True:
            return True
        tag = marks.parse_tag(existing.get("description"))
        whose = f"stack {tag.owner or '?'!r} manages it" if tag else "it is not ours"
        raise ProviderError(
            f"InfluxDB at {self._client.url} has {self.noun} {as_text(inputs, 'name')!r} already and {whose}; "
            "set adopt to true (config motcua:influx, adopt) to take it over, or choose another name"
        )

    def tagged_description(self, inputs: Props, existing: Json | None = None, *, adopted: bool = False) -> str:
        """Return the description to write, marked as ours; an adopted thing keeps its mark, its text unless told."""
        wanted, current = as_text(inputs, "description"), as_text(existing or {}, "description")
        if not adopted:
            return self.ownership_tag().prepend_to(wanted)
        tag = marks.parse_tag(current)
        return (tag.prepend_to(wanted) if tag and wanted else wanted) or current

    def description_input(self, answer: Json, outputs: Props) -> str:
        """Return the description as an input."""
        if outputs.get("adopted") is True:
            return marks.strip_tag(answer.get("description")) if outputs.get("description") else ""
        return (
            marks.strip_tag(answer.get("description"))
            if self.is_ours(answer)
            else f"(unmarked) {answer.get('description', '')}"
        )
