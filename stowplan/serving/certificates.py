"""The webhook's own certificate authority and serving certificate, as pure functions of time.

Lifetimes follow open-policy-agent/cert-controller v0.16 (CA 10 years, leaf 1 year, one hour of clock skew,
renewed 90 days ahead); keys are EC P-256, whose handshakes cost a fraction of RSA's; and a new CA is appended
to the bundle, as Kyverno does, so that replicas with old and new leaves are trusted at the same time.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

CA_LIFETIME: Final = timedelta(days=3650)
LEAF_LIFETIME: Final = timedelta(days=365)
LOOKAHEAD: Final = timedelta(days=90)
"""Renew what would not be valid this far ahead."""
SKEW: Final = timedelta(hours=1)
"""Certificates start this much in the past, for API servers whose clock is behind ours."""
MAX_BUNDLE: Final = 4
"""CAs kept in a bundle; more would mean that rotation runs wild."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def make_ca(common_name: str, now: datetime, *, lifetime: timedelta = CA_LIFETIME) -> KeyPair:
    """A self-signed CA that may sign leaves only (path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        _builder(name, name, key.public_key(), now, now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), private_key_pem(key))


def make_leaf(ca: KeyPair, names: Sequence[str], now: datetime, *, lifetime: timedelta = LEAF_LIFETIME) -> KeyPair:
    """A serving certificate for DNS names and IP addresses; it does not outlive its CA.

    Raises:
        ValueError: no names, or a CA that is no PEM certificate with its key.
    """
    if not names:
        raise ValueError("names of the certificate: none given; name at least the service, as in web.shop.svc")
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key = serialization.load_pem_private_key(ca.key, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError(  # noqa: TRY004 - the bytes given are wrong, not their type
            "key of the CA: not an elliptic-curve key; make the CA with make_ca"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    end = min(now + lifetime, issuer.not_valid_after_utc)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        _builder(subject, issuer.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
    )
    return KeyPair(_pem(builder.sign(issuer_key, hashes.SHA256())), private_key_pem(key))


def needs_renewal(
    leaf_pem: bytes,
    ca_pem: bytes,
    now: datetime,
    lookahead: timedelta = LOOKAHEAD,
    names: Sequence[str] = (),
) -> bool:
    """Whether a client that trusts ``ca_pem`` would refuse the leaf now, or will within ``lookahead``.

    The test is a real path verification for each of ``names`` (the leaf's own when empty) at both times.
    Anything that is no certificate needs renewal too.
    """
    try:
        leaf = x509.load_pem_x509_certificate(leaf_pem)
        trusted = Store(x509.load_pem_x509_certificates(ca_pem))
        wanted = [general_name(name) for name in names] or list(_names_of(leaf))
        if not wanted:
            return True
        for moment in (now, now + lookahead):
            for name in wanted:
                PolicyBuilder().store(trusted).time(moment).build_server_verifier(name).verify(leaf, [])
    except (ValueError, VerificationError, x509.ExtensionNotFound):
        return True
    return False


def ca_needs_renewal(ca_pem: bytes, now: datetime, lookahead: timedelta = LOOKAHEAD) -> bool:
    """Whether the CA is unreadable, not yet valid, or ends within ``lookahead``."""
    try:
        ca = x509.load_pem_x509_certificate(ca_pem)
    except ValueError:
        return True
    return not (ca.not_valid_before_utc <= now and now + lookahead <= ca.not_valid_after_utc)


def append_ca(bundle_pem: bytes, ca_pem: bytes, now: datetime) -> bytes:
    """The bundle with ``ca_pem`` first, then what it trusted before: expired CAs and duplicates left out.

    An unreadable bundle is replaced. At most `MAX_BUNDLE` certificates are kept, the newest ones.

    Raises:
        ValueError: ``ca_pem`` is no certificate.
    """
    try:
        before = x509.load_pem_x509_certificates(bundle_pem)
    except ValueError:
        before = []
    kept: dict[bytes, x509.Certificate] = {}
    for certificate in [x509.load_pem_x509_certificate(ca_pem), *before]:
        if certificate.not_valid_after_utc > now:
            kept.setdefault(certificate.fingerprint(hashes.SHA256()), certificate)
    return b"".join(_pem(certificate) for certificate in list(kept.values())[:MAX_BUNDLE])


def expires_at(certificate_pem: bytes) -> datetime:
    """End of the first certificate's validity, in UTC. Raises `ValueError` when there is none."""
    return x509.load_pem_x509_certificate(certificate_pem).not_valid_after_utc


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def general_name(name: str) -> x509.DNSName | x509.IPAddress:
    """A subject alternative name: an IP address where the text is one, else a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(leaf: x509.Certificate) -> list[x509.DNSName | x509.IPAddress]:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [name for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PKCS 8 in PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
