"""The files of a sandbox's public key infrastructure, and kubeconfigs for whoever needs one."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from sandbox.certificates import CertificateAuthority, KeyPair, signing_key, write_private
from sandbox.kubeconfig import kubeconfig, write_kubeconfig

ADMIN = "sandbox-admin"
FRONT_PROXY = "front-proxy-client"
"""The name by which other API servers know the API server."""
_ADMINS = "system:masters"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_API_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",  # the first address of the service range: the Service "kubernetes"
)
_SERVERS = ("kube-controller-manager", "kube-scheduler")


class Pki:
    """Three authorities and what they sign, so that the keys of one open nothing of another.

    One is for Kubernetes, one for etcd, one for the API server as a proxy before other API servers, which may speak for any user.

    Args:
        directory: where the files go; made if absent, readable by its owner only.
        cluster: name of the sandbox, shown in kubeconfigs.
    """

    def __init__(self, directory: Path, cluster: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._cluster = cluster
        self._authority = CertificateAuthority(f"stowplan sandbox {cluster}")
        self._write_authority("ca", self._authority)
        self._authority.server_certificate("kube-apiserver", [*_LOOPBACK, *_API_NAMES]).write(
            directory, "kube-apiserver"
        )
        for name in _SERVERS:
            self._authority.server_certificate(name, _LOOPBACK).write(directory, name)
        self._authority.client_certificate(ADMIN, [_ADMINS]).write(directory, "admin")
        private, public = signing_key()
        write_private(directory / "service-account.key", private)
        self.path("service-account.pub").write_bytes(public)
        self._write_etcd()
        self._write_front_proxy()

    def path(self, name: str) -> Path:
        """The file of this name: ca.crt, admin.crt, admin.key, NAME.crt and NAME.key of each server."""
        return self._directory / name

    def client_certificate(self, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """A certificate that makes its bearer ``user`` of ``groups`` at the API server."""
        return self._authority.client_certificate(user, groups)

    def server_certificate(self, common_name: str, hosts: Sequence[str] = _LOOPBACK) -> KeyPair:
        """A certificate for one more server of the sandbox, trusted by whoever trusts ca.crt."""
        return self._authority.server_certificate(common_name, hosts)

    def kubeconfig(self, directory: Path, url: str, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for ``user`` of ``groups``; returns its path."""
        pair = self.client_certificate(user, groups)
        return write_kubeconfig(
            directory, user, kubeconfig(self._cluster, url, self._authority.certificate, user, pair)
        )

    def admin_kubeconfig(self, directory: Path, url: str) -> Path:
        """Write the administrator's kubeconfig; returns its path."""
        return self.kubeconfig(directory, url, ADMIN, [_ADMINS])

    def ssl_context(self) -> ssl.SSLContext:
        """For the administrator's own calls: trusts this sandbox only and presents the admin certificate."""
        context = ssl.create_default_context(cafile=str(self.path("ca.crt")))
        context.load_cert_chain(self.path("admin.crt"), self.path("admin.key"))
        return context

    def _write_authority(self, name: str, authority: CertificateAuthority) -> None:
        self.path(f"{name}.crt").write_bytes(authority.certificate)

    def _write_etcd(self) -> None:
        authority = CertificateAuthority(f"stowplan sandbox {self._cluster} etcd")
        self._write_authority("etcd-ca", authority)
        # etcd's gateway presents the server certificate as a client, hence client=True.
        authority.server_certificate("etcd", _LOOPBACK, client=True).write(self._directory, "etcd")
        authority.client_certificate("kube-apiserver").write(self._directory, "etcd-client")

    def _write_front_proxy(self) -> None:
        authority = CertificateAuthority(f"stowplan sandbox {self._cluster} front proxy")
        self._write_authority("front-proxy-ca", authority)
        authority.client_certificate(FRONT_PROXY).write(self._directory, "front-proxy-client")
