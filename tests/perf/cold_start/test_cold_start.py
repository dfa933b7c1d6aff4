"""What fills the cluster, and how memory is counted."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from perf.cold_start.filling import create, nodes, pod
from perf.cold_start.memory import proportional_kib, resident_mib, role
from stowplan.kube.projection import SignatureInterner, project_node, project_pod


def test_memory_is_counted_by_what_a_process_does() -> None:
    assert role("python -m extender --port=1") == "supervisor"
    assert role("python -m extender --port=1 --supervise=false") == "server"
    assert role("python -m extender.planner.child") == "planner"
    assert proportional_kib("55d0 ---p\nRss:  2048 kB\nPss:   1536 kB\n") == 1536
    assert proportional_kib("Rss: 1 kB\n") == 0


def test_this_process_takes_memory_and_a_process_that_is_gone_none() -> None:
    mine = resident_mib(os.getpid())
    assert mine["total"] >= mine["supervisor"] > 0  # no command line of the extender: counted as its first process
    assert resident_mib(2**22 + 1) == {"total": 0}  # above the highest process id


def test_the_extender_understands_nodes_and_pods() -> None:
    interner = SignatureInterner()
    placed, waiting = (
        project_pod(msgspec.Raw(msgspec.json.encode(_created(pod(number, node)))), interner=interner)
        for number, node in ((0, "node-00000"), (1, ""))
    )
    assert (placed.node_name, waiting.node_name) == ("node-00000", "")
    assert placed.signature == waiting.signature  # 25 pods in a row look alike
    shapes = {project_node(msgspec.Raw(msgspec.json.encode(node))).instance_type for node in nodes(10)}
    assert len(shapes) == 5


def _created(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = {**manifest["metadata"], "uid": manifest["metadata"]["name"], "namespace": "cold-start"}
    return {**manifest, "metadata": metadata}


async def test_every_pod_is_created_once() -> None:
    created: list[str] = []
    told: list[int] = []

    class Api:
        async def create(self, _path: str, body: Any) -> None:
            created.append(body["metadata"]["name"])

    manifests = [pod(number) for number in range(1001)]
    await create(Api(), manifests, lambda _what, done, _of: told.append(done))  # type: ignore[arg-type]  # the one call made
    assert sorted(created) == sorted(manifest["metadata"]["name"] for manifest in manifests)
    assert told == [0, 500, 1000]
