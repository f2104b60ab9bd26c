"""What InfluxDB's kinds share: checks by table, reading with proof of the server, taking over by name or mark."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, cast

from infra.providers.influx import fields as tables, marks
from infra.providers.influx.fields import word
from infra.providers.influx.marks import Mark
from infra.providers.resource_kind import Found, ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.influx.client import Client, Json
    from infra.providers.influx.fields import Field
    from infra.providers.resource_kind import Failure, Props


def rows(answer: Json | None, name: str) -> list[Json]:
    """Return a list of an answer, empty when there is none."""
    return cast("list[Json]", (answer or {}).get(name) or [])


def first(answer: Json | None, name: str) -> Json | None:
    """Return the first of an answer's list, None when it is empty."""
    return next(iter(rows(answer, name)), None)


class Thing(ABC):
    """A kind below one API path; what one kind does otherwise it overrides."""

    fields: ClassVar[Mapping[str, Field]]
    inputs: ClassVar[frozenset[str]]
    fixed: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[tuple[str, ...]] = ()
    silent: ClassVar[frozenset[str]] = frozenset({"adopt", "allow_shrink"})
    """Inputs that only permit something: to change them changes nothing."""
    delete_first: ClassVar[bool] = False
    outlives: ClassVar[bool] = False
    """Whether InfluxDB keeps it, useless, when its organisation is deleted."""
    path: ClassVar[str]
    noun: ClassVar[str]

    def __init__(self, client: Client, accept_new: bool = False) -> None:  # noqa: FBT001, FBT002 - KINDS gives it so
        self._client = client
        self._accept_new = accept_new

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """Return the inputs with defaults, and what is wrong with them."""
        props, failures = tables.checked(self.fields, news)
        seen = {failure.field for failure in failures}
        return props, failures + [fault for fault in self.faults(olds, props) if fault.field not in seen]

    def faults(self, olds: Props, props: Props) -> list[Failure]:  # noqa: ARG002 - for who has more to check
        """Return what is wrong beyond types."""
        return tables.ident_fault("name", props.get("name"))

    def same(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values of an input mean the same."""
        return name in self.silent or old == new

    @abstractmethod
    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over what is there and ours, or may be adopted. Returns id and outputs."""

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Bring it to `news`; `olds` are the outputs of before. Returns all outputs."""
        if olds.get("org") != news.get("org"):
            self._stays(olds, news)
        kept = {name: value for name, value in olds.items() if name not in self.inputs}
        return {**kept, **news, **self.computed(self.bring(ident, olds, news))}

    def _stays(self, olds: Props, news: Props) -> None:
        """Take another name of the same organisation; to replace a thing for it would lose data and tokens."""
        if self.org_id(word(news, "org")) != word(olds, "org_id"):
            raise ProviderError(
                f"{self.noun} {word(news, 'name')!r} lies in organisation {word(olds, 'org')!r} and cannot move to "
                f"{word(news, 'org')!r}; take it out of the plan for one run, which deletes it, or keep it there"
            )

    @abstractmethod
    def bring(self, ident: str, olds: Props, news: Props) -> Json:
        """Bring it to `news` in its organisation; returns what the server tells then."""

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return what is there; None only when the same server says that it is gone."""
        said = self.said(ident, outputs)
        if said is None:
            self.gone(outputs)
            return None
        moved = word(outputs, "org_id") not in {"", str(said.get("orgID", ""))}
        if moved or (self.outlives and self._client.find(f"/orgs/{said['orgID']}") is None):
            self.other(outputs)
            return None
        return self.found(said, outputs)

    def locate(self, inputs: Props) -> Found | None:
        """Return what of this name is there, without any state; None when there is nothing."""
        org = self.org(word(inputs, "org"))
        said = self.there(inputs, str(org["id"])) if org else None
        return None if said is None else self.found(said, {**inputs, "adopted": not self.ours(said)})

    def found(self, said: Json, outputs: Props) -> Found:
        """Return what the server tells as outputs and inputs; `outputs` are those of before."""
        seen = self.seen(said, outputs)
        given = {
            name: value for name, value in {**outputs, **seen}.items() if name in self.inputs and value is not None
        }
        return Found(str(said["id"]), {**outputs, **seen, **self.computed(said)}, given)

    @abstractmethod
    def there(self, inputs: Props, org_id: str) -> Json | None:
        """Return what the server tells of the thing of this name, or of this mark."""

    def said(self, ident: str, outputs: Props) -> Json | None:  # noqa: ARG002 - for who needs more to ask
        """Return what the server tells of the thing."""
        return self._client.find(f"{self.path}/{ident}")

    @abstractmethod
    def seen(self, said: Json, outputs: Props) -> Props:
        """Return the inputs that would make the thing as the server tells it."""

    def computed(self, said: Json) -> Props:
        """Return what the server adds."""
        return {"org_id": str(said["orgID"]), "instance": self._client.known_operator()}

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it; what was taken over stays."""
        if outputs.get("adopted") is True:
            return
        if not self._client.remove(f"{self.path}/{ident}"):
            self.gone(outputs)

    # --- whose server, whose thing ------------------------------------------------------------

    def gone(self, outputs: Props) -> None:
        """Prove that this is the server that had the thing. Raises ProviderError when another one answers."""
        if self._client.find(f"/orgs/{outputs['org_id']}") is None:
            self.other(outputs)

    def other(self, outputs: Props) -> None:
        """Raise ProviderError, unless it is the same server without the organisation, or a new one is accepted."""
        if self._accept_new or word(outputs, "instance") == self._client.operator():
            return
        raise ProviderError(
            f"another InfluxDB answers at {self._client.url}: it does not know organisation {outputs.get('org_id')}, "
            f"to which {self.noun} {word(outputs, 'name')!r} belongs. Correct the address (config motcua:influx, url); "
            "if the old server is lost for good, set motcua:influx, acceptNew for one run"
        )

    def org_id(self, name: str) -> str:
        """Return the id of an organisation."""
        found = self.org(name)
        if found is None:
            raise ProviderError(f"InfluxDB at {self._client.url} has no organisation {name!r}; make it first")
        return str(found["id"])

    def org(self, name: str) -> Json | None:
        """Return what the server tells of an organisation."""
        return first(self._client.find("/orgs", org=name), "orgs")

    def bucket(self, org_id: str, name: str) -> Json | None:
        """Return what the server tells of a bucket."""
        return first(self._client.find("/buckets", orgID=org_id, name=name), "buckets")

    def bucket_id(self, org_id: str, name: str) -> str:
        """Return the id of a bucket."""
        found = self.bucket(org_id, name)
        if found is None:
            raise ProviderError(
                f"InfluxDB at {self._client.url} has no bucket {name!r} in this organisation; make it first"
            )
        return str(found["id"])

    def bucket_name(self, ident: object) -> str:
        """Return the name of a bucket, empty when it is gone."""
        return word(self._client.find(f"/buckets/{ident}") or {}, "name")

    def mark(self, ident: str = "", digest: str = "") -> Mark:
        """Return the mark of what this stack makes."""
        return Mark(self._client.owner, ident, digest)

    def ours(self, said: Json) -> bool:
        """Tell whether this stack made it."""
        mark = marks.read(said.get("description"))
        return mark is not None and mark.of(self._client.owner)

    def may_take(self, said: Json, inputs: Props) -> bool:
        """Return whether a thing of this name is somebody else's; raises ProviderError unless it may be adopted."""
        if self.ours(said):
            return False
        if inputs.get("adopt") is True:
            return True
        mark = marks.read(said.get("description"))
        whose = f"stack {mark.owner or '?'!r} manages it" if mark else "it is not ours"
        raise ProviderError(
            f"InfluxDB at {self._client.url} has {self.noun} {word(inputs, 'name')!r} already and {whose}; "
            "set adopt to true (config motcua:influx, adopt) to take it over, or choose another name"
        )

    def description(self, inputs: Props, said: Json | None = None, *, adopted: bool = False) -> str:
        """Return the description to write, marked as ours; an adopted thing keeps its mark, its text unless told."""
        told, there = word(inputs, "description"), word(said or {}, "description")
        if not adopted:
            return self.mark().on(told)
        whose = marks.read(there)
        return (whose.on(told) if whose and told else told) or there

    def told(self, said: Json, outputs: Props) -> str:
        """Return the description as an input."""
        if outputs.get("adopted") is True:
            return marks.bare(said.get("description")) if outputs.get("description") else ""
        return marks.bare(said.get("description")) if self.ours(said) else f"(unmarked) {said.get('description', '')}"
