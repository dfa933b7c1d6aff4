"""Kubeconfig files with everything inside, so that a file can be moved and read by any client."""

import base64
import re
from pathlib import Path

import yaml

from sandbox.certificates import KeyPair, write_private


def kubeconfig(name: str, url: str, authority: bytes, user: str, key_pair: KeyPair) -> bytes:
    """A kubeconfig with one context ``name``: ``user`` at ``url``, trusting ``authority`` (PEM)."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": _base64(authority)}}],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(key_pair.certificate),
                    "client-key-data": _base64(key_pair.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def write_kubeconfig(directory: Path, user: str, content: bytes) -> Path:
    """Write USER.kubeconfig, readable by its owner only; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    # system:serviceaccount:ns:name is a legal user; a colon in a path breaks $KUBECONFIG, which is a list.
    return write_private(directory / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', user)}.kubeconfig", content)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
