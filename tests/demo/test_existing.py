"""What is asked of an existing cluster, and what is said when it is not there."""

from typing import Any

import pytest

from demo.errors import DemoError
from demo.existing import list_nodes, metrics_pages, missing_part
from stowplan.kube.client import ApiClient
from stowplan.kube.errors import NotFound


class FakeApi(ApiClient):
    """A cluster of fixed lists; an absent object is a NotFound."""

    def __init__(self, lists: dict[str, list[Any]], objects: frozenset[str] = frozenset()) -> None:
        self.lists, self.objects = lists, objects

    async def list(self, path: str, limit: int = 0, **_: Any) -> tuple[list[Any], str]:
        """The list given for this path."""
        return self.lists[path], str(limit)

    async def get(self, path: str, **_: Any) -> Any:
        """An empty object where one is said to be."""
        if path not in self.objects:
            raise NotFound(404, "NotFound", path)
        return {}


CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/stowplan-system/leases/stowplan-scheduler"
OURS = {"metadata": {"name": "stowplan"}}


async def test_what_is_missing_is_named() -> None:
    assert "MutatingWebhookConfiguration" in str(await missing_part(FakeApi({CONFIGURATIONS: []})))
    assert "Lease" in str(await missing_part(FakeApi({CONFIGURATIONS: [OURS]})))
    assert await missing_part(FakeApi({CONFIGURATIONS: [OURS]}, frozenset({LEASE}))) is None


def node(name: str, instance_type: str, *, unschedulable: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"node.kubernetes.io/instance-type": instance_type}},
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {"allocatable": {"cpu": "3920m", "memory": "14502156Ki"}},
    }


async def test_nodes_are_priced_by_their_type_and_cordoned_ones_left_out() -> None:
    items = [node("a", "m5.xlarge"), node("b", "somebody.elses"), node("c", "m5.xlarge", unschedulable=True)]
    nodes = await list_nodes(FakeApi({"/api/v1/nodes": items}))

    # m5.xlarge is $0.192 an hour.
    assert [(n.name, n.price_micro_usd_per_hour) for n in nodes] == [("a", 192_000), ("b", 0)]
    assert nodes[0].cpu_millicores == 3920
    assert nodes[0].memory_bytes == 14_502_156 * 1024


async def test_a_cluster_without_nodes_is_refused() -> None:
    with pytest.raises(DemoError, match="no schedulable node"):
        await list_nodes(FakeApi({"/api/v1/nodes": []}))


def test_metrics_are_read_from_every_running_replica() -> None:
    def pod(name: str, phase: str) -> dict[str, Any]:
        ports = [{"name": "https", "containerPort": 8443}, {"name": "metrics", "containerPort": 9090}]
        containers = [{"name": "webhook", "ports": ports}, {"name": "other", "ports": ports}]
        return {
            "metadata": {"namespace": "stowplan-system", "name": name},
            "spec": {"containers": containers},
            "status": {"phase": phase},
        }

    pages = metrics_pages([pod("w-1", "Running"), pod("w-2", "Pending"), pod("w-3", "Running")], "webhook")

    assert pages == tuple(
        f"/api/v1/namespaces/stowplan-system/pods/{name}:9090/proxy/metrics" for name in ("w-1", "w-3")
    )
