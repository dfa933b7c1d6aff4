"""Node manifests carry the shape of their type and the labels that schedulers read."""

import pytest

from sandbox.nodes import DEFAULT_MIX, mixed_nodes, node_manifest
from stowplan.catalog import load_catalog


def test_a_node_has_the_labels_and_the_shape_of_its_type() -> None:
    node = node_manifest("n1", load_catalog()["m5.large"], zone="us-east-1c", capacity_type="spot")

    assert node["metadata"]["annotations"] == {
        "kwok.x-k8s.io/node": "fake",
        "metrics.k8s.io/resource-metrics-path": "/metrics/nodes/n1/metrics/resource",
    }
    assert node["metadata"]["labels"] == {
        "kubernetes.io/hostname": "n1",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m5.large",
        "topology.kubernetes.io/region": "us-east-1",
        "topology.kubernetes.io/zone": "us-east-1c",
        "karpenter.sh/capacity-type": "spot",
    }
    # m5.large: 2 vCPU and 8 GiB, of which 1930m and 6903 MiB are left for 29 pods.
    common = {"ephemeral-storage": "100Gi", "pods": "29"}
    assert node["status"]["capacity"] == {"cpu": "2000m", "memory": str(8 * 1024**3), **common}
    assert node["status"]["allocatable"] == {"cpu": "1930m", "memory": str(6_903 * 1024**2), **common}


def test_a_gpu_node_offers_its_gpus_and_names_them() -> None:
    node = node_manifest("n1", load_catalog()["p4d.24xlarge"], zone="us-east-1a")

    assert node["status"]["capacity"]["nvidia.com/gpu"] == "8"
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == "A100"


def test_a_mix_brings_every_type_to_every_zone() -> None:
    types, zones = ("m5.large", "c5.large"), ("us-east-1a", "us-east-1b", "us-east-1c")

    nodes = mixed_nodes(6, types=types, zones=zones)

    labels = [node["metadata"]["labels"] for node in nodes]
    pairs = {(label["node.kubernetes.io/instance-type"], label["topology.kubernetes.io/zone"]) for label in labels}
    assert len(pairs) == 6  # 2 types x 3 zones
    assert [node["metadata"]["name"] for node in nodes[:2]] == ["node-00000", "node-00001"]
    assert nodes == mixed_nodes(6, types=types, zones=zones)


def test_the_default_mix_is_in_the_catalog() -> None:
    assert set(DEFAULT_MIX) <= load_catalog().keys()


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"'abacus\.large' is not in the catalog"):
        mixed_nodes(1, types=["abacus.large"])
