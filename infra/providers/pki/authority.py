"""The kind `Authority`: a stage's intermediate. It must not keep a root's key, its own or a given one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from infra.providers.pki import pem, signing
from infra.providers.pki.inputs import common_name
from infra.providers.pki.signing import Issuer, Terms, named, new_key, new_serial
from infra.providers.pki.stateless import Kept
from infra.providers.resource_kind import difference

if TYPE_CHECKING:
    from infra.providers.pki.inputs import Reader
    from infra.providers.pki.signing import Span
    from infra.providers.resource_kind import Failure, Props

STAGES = ("dev", "stage", "prod")


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be made; without a root one is made for it."""

    name: str
    generation: int
    span: Span
    root: Issuer | None


class Authority(Kept):
    """Signs the stage's certificates and lists; a new generation is a new authority, and the old one goes later.

    `root_key` is needed only in the run that makes or replaces it.
    """

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"name", "stage", "generation", "not_before", "not_after", "root_certificate", "self_rooted"}
    )
    fixed: ClassVar[frozenset[str]] = inputs
    secrets: ClassVar[tuple[str, ...]] = ("key",)
    delete_first: ClassVar[bool] = False
    signer: ClassVar[str] = "root_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """See that there is a root to sign with, or that this stage may make its own."""
        reader = self.reader(news)
        makes = not olds or bool(difference(self, olds, news).replaces)
        _order(reader, makes=makes)
        return dict(news), reader.failures

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make a key and its certificate; a root made here signs once and its key is forgotten."""
        reader = self.reader(inputs)
        order = reader.insist(_order(reader, makes=True))
        outputs = self.kept(inputs) | _made(order)
        return str(outputs["serial"]), outputs


def _order(reader: Reader, *, makes: bool) -> _Order | None:
    name = reader.text("name", common_name)
    generation = reader.number("generation", 1)
    span = reader.span("not_before", "not_after")
    stage = reader.text("stage", _stage)
    root = _root(reader, span, stage, makes=makes)
    if name is None or generation is None or span is None:
        return None
    return _Order(name, generation, span, root)


def _stage(text: str) -> str:
    if text not in STAGES:
        raise ValueError(f"{text!r} is no stage; use one of {', '.join(STAGES)}")
    return text


def _root(reader: Reader, span: Span | None, stage: str | None, *, makes: bool) -> Issuer | None:
    """Read the given root and its key; None when a root is to be made."""
    given, own = reader.has("root_certificate"), reader.has("self_rooted")
    if own and stage not in {"dev", None}:
        reader.fail("self_rooted", f"is for stage dev only, this is {stage}; make a root with `motcua ca root`")
    if given == own:
        reader.fail("root_certificate", "give a root made with `motcua ca root`, or self_rooted in stage dev, not both")
    if not given or own:
        return None
    reader.within(span, reader.authority("root_certificate"), "not_after")
    if not makes:
        return None
    if not reader.has("root_key"):
        command = "pulumi config set --secret rootKey <root.key"
        reader.fail("root_key", f"is missing; a new intermediate needs it for this one run: {command}")
        return None
    return _paired(reader)


def _paired(reader: Reader) -> Issuer | None:
    before = len(reader.failures)
    found = reader.issuer("root_certificate", "root_key")
    # The certificate was read once already: say each fault once.
    reader.failures[before:] = [one for one in reader.failures[before:] if one.field != "root_certificate"]
    return found


def _made(order: _Order) -> dict[str, object]:
    key = new_key()
    above = order.root or _passing_root(order)
    terms = Terms(named(order.name, order.generation), order.span, new_serial())
    made = signing.intermediate(terms, key.public_key(), above)
    return {
        "certificate": pem.written([made]),
        "chain": pem.written([made, above.certificate]),
        "root": pem.written([above.certificate]),
        "key": pem.written_key(key),
        "serial": pem.hexadecimal(made.serial_number),
        "fingerprint": pem.fingerprint(made),
    }


def _passing_root(order: _Order) -> Issuer:
    key = new_key()
    terms = Terms(named(f"{order.name} root"[:64], order.generation), order.span, new_serial())
    return Issuer(signing.root(replace(terms), key), key)
