"""What a core and a GiB cost: two list prices of the catalog that differ in memory only, solved for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stowplan.catalog.instance_types import InstanceType, load_catalog

COMPUTE: Final = "c6i.xlarge"
GENERAL: Final = "m6i.xlarge"


@dataclass(frozen=True, slots=True)
class Prices:
    """Micro-dollars per hour."""

    core: float
    gib: float

    def of(self, cpu_millicores: float, memory_bytes: float) -> int:
        """Micro-dollars per hour of an amount; negative amounts are savings lost."""
        return round(self.core * cpu_millicores / 1000 + self.gib * memory_bytes / 2**30)


def split(compute: InstanceType, general: InstanceType) -> Prices:
    """Prices of a core and a GiB from two types with the same cores and different memory.

    Raises:
        ValueError: the two types do not have the same CPU, or the same memory.
    """
    if compute.cpu_millicores != general.cpu_millicores or compute.memory_bytes == general.memory_bytes:
        raise ValueError(f"{compute.name} and {general.name}: two types with equal CPU and different memory are needed")
    gib = (general.price_micro_usd_per_hour - compute.price_micro_usd_per_hour) / (
        (general.memory_bytes - compute.memory_bytes) / 2**30
    )
    core = (compute.price_micro_usd_per_hour - gib * compute.memory_bytes / 2**30) / (compute.cpu_millicores / 1000)
    return Prices(core, gib)


def list_prices() -> Prices:
    """From the shipped catalog: on-demand, us-east-1."""
    catalog = load_catalog()
    return split(catalog[COMPUTE], catalog[GENERAL])
