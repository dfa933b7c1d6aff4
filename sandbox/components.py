"""The command line of every component, with the reason of each flag that is not simply an address or a file."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from sandbox.errors import SandboxError
from sandbox.pki import FRONT_PROXY, Pki

Argv = list[str | Path]

SERVICE_CIDR = "10.96.0.0/16"
"""Cluster IPs; nothing routes them, they only have to be valid."""
POD_CIDR = "10.64.0.1/10"
"""Pod IPs that KWOK hands out: four million."""
_CLIENT_QPS, _CLIENT_BURST = 1000, 2000
"""Client-side limits of our components: the default of 20 to 50 requests a second, not the code, would be measured."""
_NODE_GRACE = "180s"
"""A fake node must not be lost because two cores are busy for a minute (default 50 s)."""
_NODE_LEASE_SECONDS = 120
"""KWOK renews at a quarter of this; at 40 s, thousands of leases would be most of the load."""
_STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-delete.yaml",
    # The general one, not the fast one: it waits, and obeys annotations (see jobs.py).
    "pod/general/pod-complete.yaml",
)


def etcd(binary: Path, pki: Pki, data: Path, port: int, peer_port: int) -> Argv:
    """The store, without fsync: its data is worth nothing after a power cut, and the disk would set the pace."""
    url, peer_url = f"https://127.0.0.1:{port}", f"https://127.0.0.1:{peer_port}"
    return [
        binary,
        f"--data-dir={data}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        f"--cert-file={pki.path('etcd.crt')}",
        f"--key-file={pki.path('etcd.key')}",
        f"--trusted-ca-file={pki.path('etcd-ca.crt')}",
        "--client-cert-auth",
        f"--peer-cert-file={pki.path('etcd.crt')}",
        f"--peer-key-file={pki.path('etcd.key')}",
        f"--peer-trusted-ca-file={pki.path('etcd-ca.crt')}",
        "--peer-client-cert-auth",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(binary: Path, pki: Pki, port: int, etcd_port: int, extra: Sequence[str]) -> Argv:
    """The API server: nobody without a certificate or token gets in, RBAC and Node decide about the rest."""
    return [
        binary,
        f"--etcd-servers=https://127.0.0.1:{etcd_port}",
        f"--etcd-cafile={pki.path('etcd-ca.crt')}",
        f"--etcd-certfile={pki.path('etcd-client.crt')}",
        f"--etcd-keyfile={pki.path('etcd-client.key')}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # a loopback address is no valid endpoint of the Service "kubernetes"
        f"--secure-port={port}",
        f"--tls-cert-file={pki.path('kube-apiserver.crt')}",
        f"--tls-private-key-file={pki.path('kube-apiserver.key')}",
        f"--client-ca-file={pki.path('ca.crt')}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        f"--service-account-issuer=https://127.0.0.1:{port}",
        f"--service-account-key-file={pki.path('service-account.pub')}",
        f"--service-account-signing-key-file={pki.path('service-account.key')}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--allow-privileged",
        "--profiling=false",
        *extra,
    ]


def aggregation(pki: Pki) -> list[str]:
    """Flags with which the API server speaks for its users to other API servers, as kubeadm sets them."""
    return [
        f"--requestheader-client-ca-file={pki.path('front-proxy-ca.crt')}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki.path('front-proxy-client.crt')}",
        f"--proxy-client-key-file={pki.path('front-proxy-client.key')}",
    ]


def kube_controller_manager(binary: Path, pki: Pki, kubeconfig: Path, port: int) -> Argv:
    """All default controllers, each with its own service account, as kubeadm sets it up."""
    return [
        binary,
        *_client_flags(kubeconfig),
        *_serving_flags(pki, "kube-controller-manager", port),
        f"--service-account-private-key-file={pki.path('service-account.key')}",
        f"--root-ca-file={pki.path('ca.crt')}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        f"--kube-api-qps={_CLIENT_QPS}",
        f"--kube-api-burst={_CLIENT_BURST}",
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
        "--concurrent-job-syncs=20",
        f"--node-monitor-grace-period={_NODE_GRACE}",
        "--profiling=false",
    ]


def kube_scheduler(binary: Path, pki: Pki, kubeconfig: Path, config: Path, port: int) -> Argv:
    """The default scheduler; ``config`` is the file of `scheduler_configuration`."""
    return [
        binary,
        f"--config={config}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        *_serving_flags(pki, "kube-scheduler", port),
    ]


def scheduler_configuration(kubeconfig: Path) -> str:
    """A stock KubeSchedulerConfiguration: defaults in everything that decides where a pod goes."""
    document = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": _CLIENT_QPS, "burst": _CLIENT_BURST},
        "enableProfiling": False,
    }
    return yaml.safe_dump(document, sort_keys=False)


def kwok(binary: Path, stages: Path, kubeconfig: Path, port: int, usage: Path | None = None) -> Argv:
    """KWOK plays the kubelet of every node that carries its annotation; with a file of `sandbox.usage` it also serves usage.

    Raises:
        SandboxError: a Stage file is not there; without any, KWOK exits.
    """
    files = [stages / name for name in _STAGES]
    for file in files:
        if not file.is_file():
            raise SandboxError(f"{file} is missing; delete {stages.parent} to have it built again")
    return [
        binary,
        f"--kubeconfig={kubeconfig}",
        *(f"--config={file}" for file in files),
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--node-lease-duration-seconds={_NODE_LEASE_SECONDS}",
        f"--cidr={POD_CIDR}",
        f"--server-address=127.0.0.1:{port}",
        *([f"--config={usage}", "--node-ip=127.0.0.1"] if usage is not None else []),
    ]


def _client_flags(kubeconfig: Path) -> list[str]:
    """One identity to call the API, and to ask it who calls the component and what they may."""
    return [f"--{prefix}kubeconfig={kubeconfig}" for prefix in ("", "authentication-", "authorization-")]


def _serving_flags(pki: Pki, name: str, port: int) -> list[str]:
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={pki.path(f'{name}.crt')}",
        f"--tls-private-key-file={pki.path(f'{name}.key')}",
    ]
