"""Shares of a GPU, where a device plugin makes them a resource: the node shows a total, but a pod has to fit on one device.

gpushare (Alibaba) shows the memory of all devices together (`aliyun.com/gpu-mem`) and how many there are (`aliyun.com/gpu-count`). On which
device a pod runs is decided when it is bound, by packing tightly, so that is how it is taken to be. MIG profiles and time slices are whole
units of their own resource and need nothing but counting; so do whole devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from stowplan.model.resources import Amounts

SHARED: Final[Mapping[str, str]] = MappingProxyType({"aliyun.com/gpu-mem": "aliyun.com/gpu-count"})
"""Resource that is a share of a device -> resource that counts the devices."""

WHOLE: Final = (
    "nvidia.com/gpu",
    "nvidia.com/mig-",
    "amd.com/gpu",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "habana.ai/gaudi",
    "google.com/tpu",
    "aws.amazon.com/neuroncore",
)
"""How resources begin that vendors' device plugins count in whole devices or slices of them: NVIDIA (also `gpu.shared` and the products
that a time-slicing or renaming configuration appends), AMD, Intel, Habana, Google, AWS."""


def is_gpu(resource: str) -> bool:
    """Whether a resource is GPUs (or accelerators alike), or a share of one."""
    return resource in SHARED or resource.startswith(WHOLE)


def devices_of(allocatable: Amounts, resource: str) -> tuple[int, int]:
    """How many devices of a shared resource a node has, and how much each holds; devices of one node are alike."""
    count = allocatable.get(SHARED[resource], 0)
    return (count, allocatable.get(resource, 0) // count) if count > 0 else (0, 0)


def left_on_devices(shares: Iterable[int], count: int, each: int) -> list[int] | None:
    """What is left on every device once the shares are packed, largest first, each where it leaves least; None where one fits nowhere."""
    left = [each] * count
    for share in sorted(shares, reverse=True):
        fitting = [index for index, free in enumerate(left) if free >= share]
        if not fitting:
            return None
        tightest = min(fitting, key=lambda index: (left[index], index))
        left[tightest] -= share
    return left
