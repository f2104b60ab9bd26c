"""Sets an InfluxDB up, or takes over one that is. It must not ever wipe one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from infra.providers.influx.client import TOKEN_ADVICE, Refusal
from infra.providers.influx.fields import must, number, text, whole, word
from infra.providers.influx.resource import Thing
from infra.providers.resource_kind import Found, ProviderError

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Failure, Props


class Instance(Thing):
    """The server itself: its first user, organisation and bucket; the operator token is the client's.

    All inputs count at set-up only. Without a password one is derived from the token and never shown; it also
    proves later that a set-up was ours whose answer got lost.
    """

    fields: ClassVar = {
        "username": text("motcua"), "org": must(), "bucket": text("default"), "retention_s": number(0),
        "password": text(),
    }  # fmt: skip
    inputs: ClassVar = frozenset(fields)
    silent: ClassVar = inputs
    path: ClassVar = "/me"
    noun: ClassVar = "instance"

    def faults(self, olds: Props, props: Props) -> list[Failure]:  # noqa: ARG002 - has no name
        """Return nothing: only types matter."""
        return []

    def same(self, name: str, old: object, new: object) -> bool:  # noqa: ARG002 - they count at set-up only
        """Tell that nothing differs after the set-up."""
        return True

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Set it up; one that is set up already is taken over when it takes the token, whatever its organisations."""
        adopted = not (self._virgin() and self._set_up(inputs)) and not self._was_ours(inputs)
        me = self._operator()
        org = self.org(word(inputs, "org"))
        if org and not adopted:
            self._put_marks(org, word(inputs, "bucket"))
        return me, {**inputs, "instance": me, "org_id": word(org or {}, "id"), "adopted": adopted}

    def _virgin(self) -> bool:
        return self._client.get("/setup").get("allowed") is True

    def _set_up(self, inputs: Props) -> bool:
        names = {name: word(inputs, name) for name in ("username", "org", "bucket")}
        told = {**names, "retentionPeriodSeconds": whole(inputs, "retention_s"), "password": self._password(inputs)}
        try:
            self._client.set_up(told)
        except Refusal as error:
            if error.code != "conflict":
                raise
            return False
        return True

    def _password(self, inputs: Props) -> str:
        return word(inputs, "password") or self._client.derived(f"motcua set-up of {word(inputs, 'username')}")

    def _was_ours(self, inputs: Props) -> bool:
        """Tell whether an earlier run made the set-up and lost the answer."""
        if inputs.get("password"):
            return False
        return self._client.signs_in(word(inputs, "username"), self._password(inputs))

    def _operator(self) -> str:
        try:
            return self._client.operator()
        except Refusal as error:
            if error.code != "unauthorized":
                raise
        raise ProviderError(
            f"InfluxDB at {self._client.url} was set up before and refuses the operator token; {TOKEN_ADVICE}"
        )

    def _put_marks(self, org: Json, bucket: str) -> None:
        """Mark what the set-up made; what has a description is marked already, or somebody's."""
        for path, said in [("/orgs", org), ("/buckets", self.bucket(str(org["id"]), bucket))]:
            if said and not said.get("description"):
                self._client.patch(f"{path}/{said['id']}", {"description": self.mark().on("")})

    def locate(self, inputs: Props) -> Found | None:
        """Return the server when it is set up and takes the token."""
        if self._virgin():
            return None
        org = self.org(word(inputs, "org"))
        outputs = {**inputs, "instance": self._operator(), "org_id": word(org or {}, "id"), "adopted": True}
        return self.read(str(outputs["instance"]), outputs)

    def there(self, inputs: Props, org_id: str) -> Json | None:  # noqa: ARG002 - not asked for
        """Return nothing: the server has no name."""
        return None

    def read(self, ident: str, outputs: Props) -> Found | None:
        """Return it as it was; None only when a new server may take its place."""
        if self._virgin() or self._operator() != ident:
            self.other({**outputs, "instance": ident})
            return None
        return Found(ident, outputs, {name: outputs[name] for name in sorted(self.inputs & outputs.keys())})

    def other(self, outputs: Props) -> None:
        """Raise ProviderError unless a new server is accepted."""
        if not self._accept_new:
            raise ProviderError(
                f"another InfluxDB answers at {self._client.url}, or the token belongs to another user: operator "
                f"{outputs.get('instance')} is not behind it. Correct address and token; if the old server is lost "
                "for good, set motcua:influx, acceptNew for one run"
            )

    def seen(self, said: Json, outputs: Props) -> Props:  # noqa: ARG002 - read needs none
        """Return nothing: a set-up cannot be read back."""
        return {}

    def update(self, ident: str, olds: Props, news: Props) -> Props:  # noqa: ARG002 - a set-up is not repeated
        """Keep the server as it is; the inputs count at set-up only."""
        return {**olds, **news}

    def bring(self, ident: str, olds: Props, news: Props) -> Json:  # noqa: ARG002 - update needs none
        """Return nothing: there is nothing to bring."""
        return {}

    def delete(self, ident: str, outputs: Props) -> None:
        """Leave the server alone: an instance is never wiped."""
