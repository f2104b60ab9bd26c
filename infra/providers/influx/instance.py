"""Sets up an InfluxDB, or takes over one that is set up. It must never wipe one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from infra.providers.influx.client import TOKEN_ADVICE, InfluxApiError
from infra.providers.influx.resource import InfluxKind, NonNegativeInt, as_int, as_text
from infra.providers.resource_kind import KindInputs, ProviderError, ResourceState

if TYPE_CHECKING:
    from infra.providers.influx.client import Json
    from infra.providers.resource_kind import Props


class InstanceInputs(KindInputs):
    """The inputs of InstanceKind."""

    username: str = "motcua"
    org: str
    bucket: str = "default"
    retention_s: NonNegativeInt = 0
    password: str | None = None
    url: str | None = None
    token_digest: str | None = None


class InstanceKind(InfluxKind):
    """The server itself: its first user, organisation and bucket; the operator token is the client's.

    `url` and `token_digest` stand for the client's address and token: when one of them changes, the update proves that
    the same server is behind them. The other inputs are used at set-up only. Without a password one is derived from the
    token and never shown; it also proves later that a set-up whose answer was lost was ours.
    """

    model: ClassVar = InstanceInputs
    permission_inputs: ClassVar = frozenset(InstanceInputs.model_fields) - {"url", "token_digest"}
    api_path: ClassVar = "/me"
    noun: ClassVar = "instance"

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Set it up; one that is set up already is taken over when it accepts the token, whatever its organisations."""
        adopted = not (self._is_unconfigured() and self._set_up(inputs)) and not self._is_own_set_up(inputs)
        operator_id = self._require_operator_id()
        org = self.find_org(as_text(inputs, "org"))
        if org and not adopted:
            self._tag_first_resources(org, as_text(inputs, "bucket"))
        return operator_id, {**inputs, "instance": operator_id, "org_id": as_text(org or {}, "id"), "adopted": adopted}

    def _is_unconfigured(self) -> bool:
        return self._client.get("/setup").get("allowed") is True

    def _set_up(self, inputs: Props) -> bool:
        names = {name: as_text(inputs, name) for name in ("username", "org", "bucket")}
        body = {
            **names,
            "retentionPeriodSeconds": as_int(inputs, "retention_s"),
            "password": self._first_password(inputs),
        }
        try:
            self._client.set_up(body)
        except InfluxApiError as error:
            if error.code != "conflict":
                raise
            return False
        return True

    def _first_password(self, inputs: Props) -> str:
        return as_text(inputs, "password") or self._client.derive_secret(
            f"motcua set-up of {as_text(inputs, 'username')}"
        )

    def _is_own_set_up(self, inputs: Props) -> bool:
        """Return whether an earlier run did the set-up and lost the answer."""
        if inputs.get("password"):
            return False
        return self._client.accepts_password(as_text(inputs, "username"), self._first_password(inputs))

    def _require_operator_id(self) -> str:
        try:
            return self._client.fetch_operator_id()
        except InfluxApiError as error:
            if error.code != "unauthorized":
                raise
        raise ProviderError(
            f"InfluxDB at {self._client.url} was set up before and refuses the operator token; {TOKEN_ADVICE}"
        )

    def _tag_first_resources(self, org: Json, bucket: str) -> None:
        """Tag what the set-up created; what has a description is tagged already, or not ours."""
        for path, answer in [("/orgs", org), ("/buckets", self.find_bucket(str(org["id"]), bucket))]:
            if answer and not answer.get("description"):
                self._client.patch(f"{path}/{answer['id']}", {"description": self.ownership_tag().prepend_to("")})

    def locate(self, inputs: Props) -> ResourceState | None:
        """Return the server when it is set up and accepts the token."""
        if self._is_unconfigured():
            return None
        org = self.find_org(as_text(inputs, "org"))
        outputs = {
            **inputs,
            "instance": self._require_operator_id(),
            "org_id": as_text(org or {}, "id"),
            "adopted": True,
        }
        return self.read(str(outputs["instance"]), outputs)

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return it as it was; None only when a new server may replace it."""
        if self._is_unconfigured() or self._require_operator_id() != ident:
            self.refuse_other_server({**outputs, "instance": ident})
            return None
        return ResourceState(ident, outputs, {name: outputs[name] for name in sorted(self.inputs & outputs.keys())})

    def refuse_other_server(self, outputs: Props) -> None:
        """Raise ProviderError unless a new server is accepted."""
        if not self._accept_new:
            raise ProviderError(
                f"another InfluxDB answers at {self._client.url}, or the token belongs to another user: operator "
                f"{outputs.get('instance')} is not behind it. Correct address and token; if the old server is lost "
                "for good, set motcua:influx, acceptNew for one run"
            )

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Prove that the same server answers at this address and accepts this token; changes nothing.

        Raises ProviderError when it does not, so that nothing that waits for this resource is switched to it.
        """
        if self._is_unconfigured() or self._require_operator_id() != ident:
            self.refuse_other_server({**olds, "instance": ident})
            raise ProviderError(
                f"another InfluxDB answers at {self._client.url}; accept it with `pulumi refresh --run-program`, "
                "then run again"
            )
        return {**olds, **news}

    def delete(self, ident: str, outputs: Props) -> None:
        """Delete nothing: an instance is never wiped."""
