"""Paths of the Kubernetes API."""

from __future__ import annotations

import pytest

from stowplan.kube.paths import LEASES, NODES, PODS, PRIORITY_CLASSES, WORKLOAD_CLASSES, Resource


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PODS.path(), "/api/v1/pods"),
        (PODS.path("shop"), "/api/v1/namespaces/shop/pods"),
        (PODS.path("shop", "web-1", "binding"), "/api/v1/namespaces/shop/pods/web-1/binding"),
        (NODES.path(name="n1", subresource="status"), "/api/v1/nodes/n1/status"),
        (LEASES.path("a", "b"), "/apis/coordination.k8s.io/v1/namespaces/a/leases/b"),
        (PRIORITY_CLASSES.path(), "/apis/scheduling.k8s.io/v1/priorityclasses"),
        (WORKLOAD_CLASSES.path(name="web"), "/apis/stowplan.dev/v1alpha1/workloadclasses/web"),
        (PODS.path("a", "b/../c"), "/api/v1/namespaces/a/pods/b%2F..%2Fc"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


@pytest.mark.parametrize(
    ("resource", "arguments", "word"),
    [
        (NODES, ("shop",), "cluster-scoped"),
        (PODS, (None, "web"), "namespace"),
        (PODS, ("shop", None, "status"), "subresource"),
        (PODS, ("shop", ".."), "segment"),
        (PODS, ("", "web"), "segment"),
    ],
)
def test_paths_that_make_no_sense_are_refused(resource: Resource, arguments: tuple[str | None, ...], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        resource.path(*arguments)


def test_labels_are_kubectls_names() -> None:
    assert (PODS.label, LEASES.label) == ("pods", "leases.coordination.k8s.io")
