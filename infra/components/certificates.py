"""The stage's authorities, what they sign, and their revocation lists as a component. It must not reckon dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from infra.components.part import Part
from infra.providers.resources import Authority, Certificate as IssuedCertificate, RevocationList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import Certificate, PkiPlan


class Certificates(Part):
    """`issued` by name; `trust` is every authority that is trusted, `crl` their revocation lists, PEM."""

    part = "certificates"

    def __init__(
        self,
        plan: PkiPlan,
        stage: str,
        root: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("certificates", stage, opts)
        self._plan = plan
        self.authorities = [self._authority(one, root) for one in plan.authorities]
        self.signer = self.authorities[0]
        self.issued = {one.name: self._certificate(one) for one in plan.certificates}
        self.lists = [
            self._list(authority, one.generation)
            for authority, one in zip(self.authorities, plan.authorities, strict=True)
        ]
        self.trust = _joined([one.output("chain") for one in self.authorities])
        self.crl = _joined([one.output("crl") for one in self.lists])
        self.register_outputs({})

    def _authority(self, wanted: Certificate, root: Mapping[str, pulumi.Input[str]]) -> Authority:
        inputs: dict[str, pulumi.Input[object]] = {**_dates(wanted), "name": wanted.name, "stage": self._stage}
        inputs |= dict(root) if "root_certificate" in root else {"self_rooted": True}
        # The one before must be able to go when its time is over.
        newest = wanted == self._plan.authorities[0]
        return Authority(f"authority-g{wanted.generation}", inputs, self.child(protect=newest))

    def _certificate(self, wanted: Certificate) -> IssuedCertificate:
        inputs: dict[str, pulumi.Input[object]] = {
            **_dates(wanted), "name": wanted.name, "use": wanted.use, "hosts": list(wanted.hosts),
            **self._issuer(self.signer),
        }  # fmt: skip
        return IssuedCertificate(f"certificate-{wanted.name}-g{wanted.generation}", inputs, self.child())

    def _list(self, authority: Authority, generation: int) -> RevocationList:
        issuer = self._issuer(authority)
        del issuer["issuer_chain"]
        inputs: dict[str, pulumi.Input[object]] = {
            **issuer,
            "revoked": [{"serial": serial, "date": day.isoformat()} for serial, day in self._plan.revoked],
            "number": self._plan.crl_number,
            "this_update": self._plan.crl_from.isoformat(),
            "next_update": self._plan.crl_until.isoformat(),
        }
        return RevocationList(f"revocations-g{generation}", inputs, self.child())

    def _issuer(self, authority: Authority) -> dict[str, pulumi.Input[object]]:
        return {
            "issuer_certificate": authority.output("certificate"),
            "issuer_chain": authority.output("chain"),
            "issuer_key": authority.output("key"),
        }


def _dates(wanted: Certificate) -> dict[str, pulumi.Input[object]]:
    return {
        "generation": wanted.generation,
        "not_before": wanted.not_before.isoformat(),
        "not_after": wanted.not_after.isoformat(),
    }


def _joined(texts: list[pulumi.Output[str]]) -> pulumi.Output[str]:
    return pulumi.Output.all(*texts).apply("".join)
