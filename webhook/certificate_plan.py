"""Which certificates should be there: the decision of the rotation, a function of what is observed and of the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stowplan.serving.certificates import KeyPair, append_ca, ca_needs_renewal, make_ca, make_leaf, needs_renewal

CA_NAME: Final = "stowplan webhook CA"


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there: the CA, the leaf, the CA that signed the leaf, and the bundles in the webhook configuration."""

    ca: KeyPair | None = None
    leaf: KeyPair | None = None
    issuer: bytes = b""
    bundles: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be there; equal to the observed where nothing is to be done."""

    ca: KeyPair
    leaf: KeyPair
    bundles: tuple[bytes, ...]


def decide(observed: Observed, names: tuple[str, ...], now: datetime) -> Desired:
    """The certificates that should be there.

    A CA or leaf that is absent, unreadable or not valid until 90 days from now is made anew, and a leaf that the CA did not sign too.
    Every bundle trusts the CA, the signer of the leaf in use, and what it trusted before.
    """
    ca, leaf = observed.ca, observed.leaf
    if ca is None or ca_needs_renewal(ca.certificate, now) or not _belong_together(ca):
        ca = make_ca(CA_NAME, now)
    if leaf is None or needs_renewal(leaf.certificate, ca.certificate, now, names=names) or not _belong_together(leaf):
        leaf = make_leaf(ca, names, now)
    return Desired(ca, leaf, tuple(_bundle(bundle, observed.issuer, ca, now) for bundle in observed.bundles))


def _bundle(bundle: bytes, issuer: bytes, ca: KeyPair, now: datetime) -> bytes:
    trusted = append_ca(bundle, ca.certificate, now)
    if not issuer or issuer in trusted:
        return trusted
    try:
        return append_ca(append_ca(trusted, issuer, now), ca.certificate, now)
    except ValueError:  # the Secret holds something else; the new leaf will put it right
        return trusted


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """The names of a Service inside the cluster; the API server verifies the third."""
    return service, f"{service}.{namespace}", f"{service}.{namespace}.svc"


def _belong_together(pair: KeyPair) -> bool:
    """Whether the key is that of the certificate; a Secret edited by hand may hold anything."""
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
        certificate = x509.load_pem_x509_certificate(pair.certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: the key is encrypted
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key()
