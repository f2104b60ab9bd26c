"""The stage's authorities, the certificates they sign and their revocation lists. It must not compute dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components.component import MotcuaComponent
from infra.providers.resources import MotcuaResource
from infra.resource_specs import authority_spec, validity_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import CertificatePlan, PkiPlan


class Certificates(MotcuaComponent):
    """`certificates_by_name`; `ca_bundle` has every trusted authority, `crl_bundle` their revocation lists, PEM."""

    type_key = "certificates"

    def __init__(
        self,
        plan: PkiPlan,
        stage: str,
        root: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("certificates", stage, opts)
        self._plan = plan
        self.authorities = [self._create_authority(certificate, root) for certificate in plan.authorities]
        self.newest_authority = self.authorities[0]
        self.certificates_by_name = {
            certificate.name: self._create_certificate(certificate) for certificate in plan.certificates
        }
        self.revocation_lists = [
            self._create_revocation_list(authority, certificate.generation)
            for authority, certificate in zip(self.authorities, plan.authorities, strict=True)
        ]
        self.ca_bundle = _concatenate([certificate.output("chain") for certificate in self.authorities])
        self.crl_bundle = _concatenate([certificate.output("crl") for certificate in self.revocation_lists])
        self.register_outputs({})

    def _create_authority(self, planned: CertificatePlan, root: Mapping[str, pulumi.Input[str]]) -> MotcuaResource:
        spec = authority_spec(planned, self._stage, root)
        # The previous one must be deletable when its time is over.
        newest = planned == self._plan.authorities[0]
        return MotcuaResource(spec.kind, spec.name, spec.inputs, self.child_options(protect=newest))

    def _create_certificate(self, planned: CertificatePlan) -> MotcuaResource:
        inputs: dict[str, pulumi.Input[object]] = {
            **validity_inputs(planned), "name": planned.name, "use": planned.use, "hosts": list(planned.hosts),
            **self._issuer_inputs(self.newest_authority),
        }  # fmt: skip
        name = f"certificate-{planned.name}-g{planned.generation}"
        return MotcuaResource("pki.certificate", name, inputs, self.child_options())

    def _create_revocation_list(self, authority: MotcuaResource, generation: int) -> MotcuaResource:
        issuer = self._issuer_inputs(authority)
        del issuer["issuer_chain"]
        inputs: dict[str, pulumi.Input[object]] = {
            **issuer,
            "revoked": [{"serial": serial, "date": day.isoformat()} for serial, day in self._plan.revoked],
            "number": self._plan.crl_number,
            "this_update": self._plan.crl_from.isoformat(),
            "next_update": self._plan.crl_until.isoformat(),
        }
        return MotcuaResource("pki.revocation_list", f"revocations-g{generation}", inputs, self.child_options())

    def _issuer_inputs(self, authority: MotcuaResource) -> dict[str, pulumi.Input[object]]:
        return {
            "issuer_certificate": authority.output("certificate"),
            "issuer_chain": authority.output("chain"),
            "issuer_key": authority.output("key"),
        }


def _concatenate(texts: list[pulumi.Output[str]]) -> pulumi.Output[str]:
    return pulumi.Output.all(*texts).apply("".join)
