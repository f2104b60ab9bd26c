"""What InfluxDB's kinds share: ownership tags in descriptions, reading with proof of the server, adoption by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, cast

from pydantic import AfterValidator, Field

from infra.providers.resource_kind import (
    InputFault,
    KindInputs,
    ProviderError,
    ResourceState,
    input_defaults,
    read_inputs,
)

if TYPE_CHECKING:
    from infra.providers.influx.client import InfluxClient, Json
    from infra.providers.resource_kind import Props

_TAG_HEAD: Final = "managed-by=motcua"
_TAG_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _check_tag_name(name: str) -> str:
    if not _TAG_NAME.fullmatch(name):
        raise ValueError("is used in an ownership tag; use letters, digits, dot, dash and underscore, at most 100")
    return name


def _check_blanks(name: str) -> str:
    if name != name.strip():
        raise ValueError("begins or ends with a blank; remove it")
    return name


TagName = Annotated[str, AfterValidator(_check_tag_name)]
TrimmedName = Annotated[str, AfterValidator(_check_blanks)]
NonNegativeInt = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class OwnershipTag:
    """The tag before a description, `managed-by=motcua …; text`: the stack, and a name that InfluxDB does not store."""

    owner: str = ""
    resource_name: str = ""
    digest: str = ""

    def belongs_to(self, owner: str) -> bool:
        """Return whether this stack created it; an empty owner means any stack."""
        return owner in {"", self.owner}

    def prepend_to(self, description: str) -> str:
        """Return the description with the tag before it."""
        words = {"stack": self.owner, "id": self.resource_name, "of": self.digest}
        head = " ".join([_TAG_HEAD, *(f"{name}={value}" for name, value in words.items() if value)])
        return f"{head}; {description}" if description else head


def parse_tag(description: object) -> OwnershipTag | None:
    """Return the tag of a description, None when no stack created the resource."""
    head = str(description or "").partition("; ")[0].split(" ")
    if head[0] != _TAG_HEAD:
        return None
    words = dict(word.partition("=")[::2] for word in head[1:])
    return OwnershipTag(words.get("stack", ""), words.get("id", ""), words.get("of", ""))


def strip_tag(description: object) -> str:
    """Return the description without the tag."""
    text = str(description or "")
    return text if parse_tag(text) is None else text.partition("; ")[2]


def as_int(props: Props, name: str) -> int:
    """Return a number of the properties, 0 when it is absent."""
    value = props.get(name)
    return int(value) if isinstance(value, int | float) else 0


def as_text(props: Props, name: str) -> str:
    """Return a text of the properties, empty when it is absent."""
    value = props.get(name)
    return "" if value is None else str(value)


def items_in(answer: Json | None, name: str) -> list[Json]:
    """Return a list of an answer, empty when there is none."""
    return cast("list[Json]", (answer or {}).get(name) or [])


def first_item_in(answer: Json | None, name: str) -> Json | None:
    """Return the first of an answer's list, None when it is empty."""
    return next(iter(items_in(answer, name)), None)


class InfluxKind:
    """A kind below one API path; each subclass overrides what it does differently."""

    model: ClassVar[type[KindInputs]]
    inputs: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]] = frozenset()
    secret_outputs: ClassVar[tuple[str, ...]] = ()
    permission_inputs: ClassVar[frozenset[str]] = frozenset({"adopt", "allow_shrink"})
    """Inputs that only permit an action: changing them changes nothing on the server."""
    delete_first: ClassVar[bool] = False
    survives_org_deletion: ClassVar[bool] = False
    """Whether the resource remains, unusable, when its organisation is deleted."""
    api_path: ClassVar[str]
    noun: ClassVar[str]

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        if "model" in cls.__dict__:
            cls.inputs = frozenset(cls.model.model_fields)

    def __init__(self, client: InfluxClient, accept_new: bool = False) -> None:  # noqa: FBT001, FBT002 - KINDS passes it so
        self._client = client
        self._accept_new = accept_new

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Return the inputs with defaults, and every fault."""
        _, faults = read_inputs(self.model, news)
        props = input_defaults(self.model) | {name: value for name, value in news.items() if value is not None}
        further = [fault for fault in self.combined_faults(olds, props) if not faults.has_any(fault.field)]
        return props, [*faults, *further]

    def combined_faults(self, olds: Props, props: Props) -> list[InputFault]:  # noqa: ARG002 - some kinds need both
        """Return the faults of inputs that do not go together, or not with the previous ones."""
        return []

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Return whether two values of an input mean the same."""
        return name in self.permission_inputs or old == new

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or take over an existing one that is ours or may be adopted. Returns id and outputs."""
        raise NotImplementedError

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Apply `news`; `olds` are the previous outputs. Returns all outputs."""
        if olds.get("org") != news.get("org"):
            self._refuse_org_move(olds, news)
        server_outputs = {name: value for name, value in olds.items() if name not in self.inputs}
        return {**server_outputs, **news, **self.computed_outputs(self.apply(ident, olds, news))}

    def _refuse_org_move(self, olds: Props, news: Props) -> None:
        """Accept another name of the same organisation only; a replacement would lose data and tokens."""
        if self.require_org_id(as_text(news, "org")) != as_text(olds, "org_id"):
            raise ProviderError(
                f"{self.noun} {as_text(news, 'name')!r} is in organisation {as_text(olds, 'org')!r} "
                f"and cannot move to "
                f"{as_text(news, 'org')!r}; take it out of the plan for one run, which deletes it, or keep it there"
            )

    def apply(self, ident: str, olds: Props, news: Props) -> Json:
        """Apply `news` in its organisation; returns the server's answer."""
        raise NotImplementedError

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return its present state; None only when the same server answers that it does not exist."""
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
        """Return the resource of this name, without any state; None when there is none."""
        org = self.find_org(as_text(inputs, "org"))
        answer = self.find_by_name(inputs, str(org["id"])) if org else None
        return None if answer is None else self.to_state(answer, {**inputs, "adopted": not self.is_ours(answer)})

    def to_state(self, answer: Json, outputs: Props) -> ResourceState:
        """Return a server's answer as outputs and inputs; `outputs` are the previous ones."""
        actual_inputs = self.to_inputs(answer, outputs)
        inputs = {
            name: value
            for name, value in {**outputs, **actual_inputs}.items()
            if name in self.inputs and value is not None
        }
        return ResourceState(str(answer["id"]), {**outputs, **actual_inputs, **self.computed_outputs(answer)}, inputs)

    def find_by_name(self, inputs: Props, org_id: str) -> Json | None:
        """Return the server's answer for the resource of this name or tag."""
        raise NotImplementedError

    def fetch(self, ident: str, outputs: Props) -> Json | None:  # noqa: ARG002 - some kinds need it
        """Return the server's answer for the resource."""
        return self._client.find(f"{self.api_path}/{ident}")

    def to_inputs(self, answer: Json, outputs: Props) -> Props:
        """Return the inputs that would create the resource as the server has it."""
        raise NotImplementedError

    def computed_outputs(self, answer: Json) -> Props:
        """Return what the server adds."""
        return {"org_id": str(answer["orgID"]), "instance": self._client.cached_operator_id()}

    def delete(self, ident: str, outputs: Props) -> None:
        """Delete it, unless it was adopted."""
        if outputs.get("adopted") is True:
            return
        if not self._client.delete(f"{self.api_path}/{ident}"):
            self.confirm_deleted(outputs)

    # --- ownership of server and resource ------------------------------------------------------------

    def confirm_deleted(self, outputs: Props) -> None:
        """Prove that this is the server that had the resource. Raises ProviderError when another one answers."""
        if self._client.find(f"/orgs/{outputs['org_id']}") is None:
            self.refuse_other_server(outputs)

    def refuse_other_server(self, outputs: Props) -> None:
        """Raise ProviderError, unless it is the same server without the organisation, or a new one is accepted."""
        if self._accept_new or as_text(outputs, "instance") == self._client.fetch_operator_id():
            return
        raise ProviderError(
            f"another InfluxDB answers at {self._client.url}: it has no organisation "
            f"{outputs.get('org_id')}, "
            f"to which {self.noun} {as_text(outputs, 'name')!r} belongs. Correct the address (config "
            f"motcua:influx, url); "
            "if the old server is lost for good, set motcua:influx, acceptNew for one run"
        )

    def require_org_id(self, name: str) -> str:
        """Return the id of an organisation."""
        org = self.find_org(name)
        if org is None:
            raise ProviderError(f"InfluxDB at {self._client.url} has no organisation {name!r}; create it first")
        return str(org["id"])

    def find_org(self, name: str) -> Json | None:
        """Return the server's answer for an organisation."""
        return first_item_in(self._client.find("/orgs", org=name), "orgs")

    def find_bucket(self, org_id: str, name: str) -> Json | None:
        """Return the server's answer for a bucket."""
        return first_item_in(self._client.find("/buckets", orgID=org_id, name=name), "buckets")

    def require_bucket_id(self, org_id: str, name: str) -> str:
        """Return the id of a bucket."""
        bucket = self.find_bucket(org_id, name)
        if bucket is None:
            raise ProviderError(
                f"InfluxDB at {self._client.url} has no bucket {name!r} in this organisation; create it first"
            )
        return str(bucket["id"])

    def bucket_name(self, ident: object) -> str:
        """Return the name of a bucket, empty when it does not exist."""
        return as_text(self._client.find(f"/buckets/{ident}") or {}, "name")

    def ownership_tag(self, ident: str = "", digest: str = "") -> OwnershipTag:
        """Return the tag of what this stack creates."""
        return OwnershipTag(self._client.owner, ident, digest)

    def is_ours(self, answer: Json) -> bool:
        """Return whether this stack created it."""
        tag = parse_tag(answer.get("description"))
        return tag is not None and tag.belongs_to(self._client.owner)

    def check_adoption(self, existing: Json, inputs: Props) -> bool:
        """Return whether an existing resource is not ours; raises ProviderError unless it may be adopted."""
        if self.is_ours(existing):
            return False
        if inputs.get("adopt") is True:
            return True
        tag = parse_tag(existing.get("description"))
        owner = f"stack {tag.owner or '?'!r} manages it" if tag else "it is not ours"
        raise ProviderError(
            f"InfluxDB at {self._client.url} has {self.noun} {as_text(inputs, 'name')!r} already and {owner}; "
            "set adopt to true (config motcua:influx, adopt) to take it over, or choose another name"
        )

    def tagged_description(self, inputs: Props, existing: Json | None = None, *, adopted: bool = False) -> str:
        """Return the description to write, tagged as ours; an adopted one keeps its tag, and its text by default."""
        wanted, current = as_text(inputs, "description"), as_text(existing or {}, "description")
        if not adopted:
            return self.ownership_tag().prepend_to(wanted)
        tag = parse_tag(current)
        return (tag.prepend_to(wanted) if tag and wanted else wanted) or current

    def description_input(self, answer: Json, outputs: Props) -> str:
        """Return the description as an input."""
        if outputs.get("adopted") is True:
            return strip_tag(answer.get("description")) if outputs.get("description") else ""
        return (
            strip_tag(answer.get("description"))
            if self.is_ours(answer)
            else f"(unmarked) {answer.get('description', '')}"
        )
