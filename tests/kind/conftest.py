"""One cluster for all tests in kind: it takes minutes to make."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from sandbox.activity import activity
from sandbox.kind.cluster import KindCluster
from sandbox.kind.settings import kind_settings
from tests.support.kind import NAMESPACE, eventually, first_memory, small_class


@pytest.fixture(scope="session")
def cluster() -> Iterator[KindCluster]:
    """A cluster with stowplan, metrics-server and KWOK, and a namespace that is opted in."""
    with activity("kind") as progress, KindCluster(kind_settings(os.environ), progress) as made:
        namespace = {"metadata": {"name": NAMESPACE, "labels": {"stowplan.dev/inject": "enabled"}}}
        made.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Namespace", **namespace}))
        yield made


@pytest.fixture(scope="session")
def modest(cluster: KindCluster) -> str:
    """A class whose pods start with 192Mi of memory (limit 240Mi), and which replaces what users ask for."""
    cluster.kubectl("-n", NAMESPACE, "delete", "deployment", "--all")  # what other tests have left: CPU is scarce
    return _class(cluster, "modest", "cpu", "Override", 192)


@pytest.fixture(scope="session")
def roomy(cluster: KindCluster) -> str:
    """A class whose pods start with 768Mi of memory (limit 960Mi)."""
    return _class(cluster, "roomy", "memory", "Respect", 768)


def _class(cluster: KindCluster, name: str, shape: str, explicit: str, mib: int) -> str:
    cluster.kubectl("apply", "-f", "-", text=small_class(name, "xs", shape, explicit))
    eventually(lambda: first_memory(cluster, name)[0] == mib * 2**20, f"the webhook knows class {name}", 60)
    return name
