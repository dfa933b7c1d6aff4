"""What is left on each device of a node, as pods that stand and room that is held are taken to be packed."""

from __future__ import annotations

import numpy as np

from extender.deciding.device_table import DeviceTable, gpu_asked
from extender.fragments.room import Demand
from stowplan.model.pod import PodSignature
from tests.support.extender import info, node, signature

GPU, MEMORY, COUNT, MIG = "nvidia.com/gpu", "aliyun.com/gpu-mem", "aliyun.com/gpu-count", "nvidia.com/mig-1g.5gb"


def asking(**amounts: int) -> PodSignature:
    names = {"gpu": GPU, "memory": MEMORY, "mig": MIG}
    return signature("gpu", requests=tuple(sorted((names[name], amount) for name, amount in amounts.items())))


def left(table: DeviceTable, row: int) -> list[int]:
    """What is left of the node's devices."""
    nothing = np.zeros(1, np.int64)
    room = table.room(np.array([row]), nothing, nothing, np.zeros((0, 1), np.bool_))
    return [int(free) for free, size in zip(room.left[:, 0], room.size[:, 0], strict=True) if size]


def test_whole_devices_are_counted_with_what_is_held() -> None:
    table = DeviceTable()

    assert table.put(3, info(node("n", allocatable={"cpu": 8000, GPU: 8}), {asking(gpu=2): 2}))
    assert left(table, 3) == [4]
    table.hold(3, [asking(gpu=1), signature("web")])
    assert left(table, 3) == [3]
    table.hold(3, [])
    assert left(table, 3) == [4]
    assert table.milli_gpus(3) == 8000
    assert table.among(np.array([2, 3, 500])).tolist() == [False, True, False]


def test_shares_are_packed_tightly_device_by_device() -> None:
    table = DeviceTable()
    shares = {asking(memory=10): 2, asking(memory=5): 1}

    table.put(0, info(node("n", allocatable={MEMORY: 32, COUNT: 2}), shares))

    # two devices of 16: each takes a share of 10, and the first one the 5 as well
    assert left(table, 0) == [1, 6]
    table.hold(0, [asking(memory=6)])
    # largest first: 10 and 10 on one each, then the 6 fills the first one, and the 5 goes to the second
    assert left(table, 0) == [0, 1]
    assert table.milli_gpus(0) == 2000


def test_of_pods_packed_otherwise_than_we_think_nothing_is_known_to_be_left() -> None:
    table = DeviceTable()

    table.put(0, info(node("n", allocatable={MEMORY: 32, COUNT: 2}), {asking(memory=20): 1}))

    assert left(table, 0) == [0, 0]


def test_slices_are_devices_of_their_own_resource() -> None:
    table = DeviceTable()
    table.put(0, info(node("n", allocatable={GPU: 1, MIG: 7}), {asking(mig=2): 1}))

    assert left(table, 0) == [1, 5]
    assert table.demand({"cpu": 5, MIG: 1}).resource != table.demand({GPU: 1}).resource


def test_a_node_that_loses_its_gpus_or_goes_is_none_with_gpus() -> None:
    table = DeviceTable()
    table.put(0, info(node("n", allocatable={GPU: 1})))

    assert not table.put(0, info(node("n", allocatable={GPU: 0})))
    table.drop(0)
    assert (table.nodes, table.among(np.array([0])).tolist(), table.milli_gpus(0)) == ({}, [False], 0)


def test_many_devices_and_rows_find_their_place() -> None:
    table = DeviceTable()
    table.put(0, info(node("small", allocatable={GPU: 1})))
    table.put(500, info(node("large", allocatable={MEMORY: 160, COUNT: 16})))

    assert left(table, 500) == [10] * 16
    assert left(table, 0) == [1]


def test_what_pods_ask_for() -> None:
    table = DeviceTable()

    assert table.demand({"cpu": 500, "memory": 7, "pods": 1}) == Demand(500, 7)
    assert gpu_asked({"cpu": 1, GPU: 0}) == ""
    assert gpu_asked({"example.com/fpga": 1, "amd.com/gpu": 1}) == "amd.com/gpu"
