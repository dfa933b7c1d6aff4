"""Certificates of a sandbox: its own authorities, server certificates for loopback, client certificates by user.

Kubernetes reads the user of a client certificate from the common name and the groups from the organisations.
All keys are EC P-256: made in microseconds and accepted by every component.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stowplan.serving.certificates import general_name, private_key_pem

_BACKDATED = timedelta(minutes=5)
"""Start of validity before now, for a clock that is set back a little."""
_VALID = timedelta(days=365)
"""A sandbox is short-lived; nothing renews its certificates."""


@dataclass(frozen=True, repr=False)
class KeyPair:
    """A certificate and its private key (PKCS 8, not encrypted), both PEM."""

    certificate: bytes
    key: bytes

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write NAME.crt and NAME.key (readable by the owner only); returns both paths."""
        certificate = directory / f"{name}.crt"
        certificate.write_bytes(self.certificate)
        return certificate, write_private(directory / f"{name}.key", self.key)


class CertificateAuthority:
    """Signs certificates; it lives as long as the process that made it.

    Args:
        common_name: what the authority calls itself.
        now: start of validity, less a few minutes.
    """

    def __init__(self, common_name: str, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(common_name)
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM: what clients and servers trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def server_certificate(self, common_name: str, hosts: Sequence[str], *, client: bool = False) -> KeyPair:
        """A certificate for a server that is reached by ``hosts``: DNS names and IP addresses.

        Args:
            common_name: of the subject; clients look at ``hosts`` only.
            hosts: subject alternative names.
            client: whether it may also be presented as a client's, as etcd's peers do.
        """
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
        names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
        return self._issue(_name(common_name), usages, names)

    def client_certificate(self, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """A certificate that makes its bearer ``user``, a member of ``groups``."""
        return self._issue(_name(user, groups), [ExtendedKeyUsageOID.CLIENT_AUTH])

    def _issue(
        self,
        subject: x509.Name,
        usages: Sequence[x509.ObjectIdentifier],
        names: x509.SubjectAlternativeName | None = None,
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), private_key_pem(key))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _BACKDATED)
            .not_valid_after(self._now + _VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def signing_key() -> tuple[bytes, bytes]:
    """A fresh private and public key, PEM, to sign service account tokens with and to check them."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private_key_pem(key), public


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that only its owner can read, from its first byte on."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
    return path


def _name(common_name: str, organisations: Sequence[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organisations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
