"""The node set of the demo: a mix of EC2 shapes with real prices, in three zones, larger than the demand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from stowplan.catalog import InstanceType, load_catalog
from stowplan.model.money import dollars

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
MIX = (
    "m5.4xlarge",
    "c5.2xlarge",
    "m6i.8xlarge",
    "r5.2xlarge",
    "c6i.4xlarge",
    "m5.2xlarge",
    "m7i.4xlarge",
    "c6i.8xlarge",
    "r6i.4xlarge",
)
"""Taken in turn: mostly general purpose, some compute, some memory; the sizes that autoscaled fleets usually hold.

No node is smaller than the largest pod of the trace needs more than one of: 8 cores do not fit a 2xlarge
(7.91 allocatable), so there must be larger ones as well.
"""
HEADROOM_PERCENT = 150
"""Allocatable of the node set in percent of the peak demand, in the scarcer of CPU and memory."""


@dataclass(frozen=True, slots=True)
class DemoNode:
    """A node with what the accounting needs to know of it."""

    name: str
    instance_type: str
    zone: str
    cpu_millicores: int
    """Allocatable."""
    memory_bytes: int
    """Allocatable."""
    price_micro_usd_per_hour: int

    @property
    def price_per_core(self) -> float:
        """Dollars an hour for one allocatable core."""
        return dollars(self.price_micro_usd_per_hour) / (self.cpu_millicores / 1000)


def node_set(
    peak_cpu_millicores: int, peak_memory_bytes: int, headroom_percent: int = HEADROOM_PERCENT
) -> list[DemoNode]:
    """The shortest run of the mix that offers the demand plus head-room, and at least one round of it.

    Args:
        peak_cpu_millicores: most CPU requested at one time.
        peak_memory_bytes: most memory requested at one time.
        headroom_percent: allocatable in percent of the demand.
    """
    nodes: list[DemoNode] = []
    cpu = memory = 0
    for node in _endless_mix(load_catalog()):
        enough = (
            cpu * 100 >= peak_cpu_millicores * headroom_percent and memory * 100 >= peak_memory_bytes * headroom_percent
        )
        if enough and len(nodes) >= len(MIX):
            break
        nodes.append(node)
        cpu += node.cpu_millicores
        memory += node.memory_bytes
    return nodes


def _endless_mix(catalog: Mapping[str, InstanceType]) -> Iterator[DemoNode]:
    for index in count():
        shape = catalog[MIX[index % len(MIX)]]
        yield DemoNode(
            name=f"{shape.name.replace('.', '-')}-{index:03d}",
            instance_type=shape.name,
            # One zone further per round, so that every shape comes to every zone.
            zone=ZONES[(index + index // len(MIX)) % len(ZONES)],
            cpu_millicores=shape.allocatable_cpu_millicores,
            memory_bytes=shape.allocatable_memory_bytes,
            price_micro_usd_per_hour=shape.price_micro_usd_per_hour,
        )
