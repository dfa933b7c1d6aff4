"""One cluster for all tests in kind: it takes minutes to make."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from sandbox.activity import activity
from sandbox.kind.cluster import KindCluster
from sandbox.kind.settings import kind_settings
from tests.support.kind import NAMESPACE


@pytest.fixture(scope="session")
def cluster() -> Iterator[KindCluster]:
    """A cluster with stowplan, metrics-server and KWOK, and a namespace that is opted in."""
    with activity("kind") as progress, KindCluster(kind_settings(os.environ), progress) as made:
        namespace = {"metadata": {"name": NAMESPACE, "labels": {"stowplan.dev/inject": "enabled"}}}
        made.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Namespace", **namespace}))
        yield made
