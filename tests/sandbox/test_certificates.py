"""Certificates say who and what for, and a real TLS stack accepts exactly the right ones."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.certificates import CertificateAuthority, KeyPair, signing_key, write_private


def load(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def handshake(directory: Path, server: KeyPair, client: KeyPair, authority: bytes, host: str) -> str:
    """A TLS handshake in memory in which both sides demand a certificate; returns the client's subject."""
    trusted = directory / "ca.crt"
    trusted.write_bytes(authority)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_verify_locations(trusted)
    server_context.load_cert_chain(*server.write(directory, "server"))
    client_context = ssl.create_default_context(cafile=str(trusted))
    client_context.load_cert_chain(*client.write(directory, "client"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = server_context.wrap_bio(to_server, to_client, server_side=True)
    client_side = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    for _ in range(4):  # a handshake takes less than four flights
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return str(server_side.getpeercert())


def test_a_client_certificate_names_user_and_groups() -> None:
    pair = CertificateAuthority("test").client_certificate("alice", ["readers", "writers"])

    subject = load(pair).subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice"]
    groups = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [name.value for name in groups] == ["readers", "writers"]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (False, [ExtendedKeyUsageOID.SERVER_AUTH]),
        (True, [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
    ],
)
def test_a_server_certificate_serves_its_hosts_only_as_server(
    *, client: bool, expected: list[x509.ObjectIdentifier]
) -> None:
    pair = CertificateAuthority("test").server_certificate("api", ["127.0.0.1", "localhost"], client=client)

    extensions = load(pair).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == expected
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_validity_starts_a_little_early() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)

    certificate = load(CertificateAuthority("test", now).client_certificate("alice"))

    assert certificate.not_valid_before_utc == now - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == now + timedelta(days=365)


def test_both_sides_accept_certificates_of_one_authority(tmp_path: Path) -> None:
    authority = CertificateAuthority("test")
    server = authority.server_certificate("api", ["127.0.0.1", "localhost"])

    peer = handshake(tmp_path, server, authority.client_certificate("alice"), authority.certificate, "127.0.0.1")

    assert "alice" in peer


def test_another_host_is_refused(tmp_path: Path) -> None:
    authority = CertificateAuthority("test")
    server = authority.server_certificate("api", ["localhost"])

    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.1"):
        handshake(tmp_path, server, authority.client_certificate("alice"), authority.certificate, "127.0.0.1")


def test_a_client_of_another_authority_is_refused(tmp_path: Path) -> None:
    authority, other = CertificateAuthority("test"), CertificateAuthority("test")
    server = authority.server_certificate("api", ["localhost"])

    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(tmp_path, server, other.client_certificate("alice"), authority.certificate, "localhost")


def test_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old and readable by all")

    write_private(path, b"secret")

    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_signing_keys_belong_together() -> None:
    private, public = signing_key()

    key = serialization.load_pem_private_key(private, password=None)
    derived = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert derived == public
