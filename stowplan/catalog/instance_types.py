"""EC2 instance types with what they offer to pods and what they cost.

The table is a small extract; its source and licence are in the neighbouring README.md. Node cost has to be
judged by allocatable resources and ``max_pods``, not by the nominal size: on small nodes both bind first.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

_TABLE = "instance_types.csv"
_TEXT_COLUMNS = frozenset({"name", "family", "gpu_model", "arch"})
_MAY_BE_ZERO = frozenset({"gpu_count"})
_MAY_BE_EMPTY = frozenset({"gpu_model"})


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One node shape, in the units of the project: millicores, bytes, micro-dollars per hour."""

    name: str
    """Value of the node label ``node.kubernetes.io/instance-type``."""
    family: str
    """The name up to the dot."""
    cpu_millicores: int
    """Nominal CPU."""
    memory_bytes: int
    """Nominal memory."""
    gpu_count: int
    """Whole GPUs, 0 for most types."""
    gpu_model: str
    """Name of the GPU in capitals, empty without one."""
    arch: str
    """Value of the node label ``kubernetes.io/arch``."""
    max_pods: int
    """Pods the node can hold (limit of network addresses, as Karpenter computes it)."""
    allocatable_cpu_millicores: int
    """CPU left for pods after system reservations."""
    allocatable_memory_bytes: int
    """Memory left for pods after system and eviction reservations."""
    price_micro_usd_per_hour: int
    """Linux on-demand list price in us-east-1."""


def read_catalog(source: Iterable[str]) -> Mapping[str, InstanceType]:
    """Parse the lines of a table of instance types, keyed by name in the order of the rows.

    Raises:
        ValueError: a column is missing, a name comes twice, or a field is no positive integer; the message
            names line, column and value.
    """
    reader = csv.DictReader(source)
    names = [field.name for field in fields(InstanceType)]
    missing = [name for name in names if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{_TABLE}: column {missing[0]!r} is missing; the header must name {', '.join(names)}")
    catalog: dict[str, InstanceType] = {}
    for row in reader:
        instance_type = InstanceType(**{name: _field(row, name, reader.line_num) for name in names})
        if instance_type.name in catalog:
            raise ValueError(f"{_TABLE}:{reader.line_num}: name {instance_type.name!r} comes twice; remove one row")
        catalog[instance_type.name] = instance_type
    return MappingProxyType(catalog)


@cache
def load_catalog() -> Mapping[str, InstanceType]:
    """The instance types shipped with stowplan, keyed by name; read once, never changed."""
    with resources.files(__package__).joinpath(_TABLE).open(encoding="utf-8") as source:
        return read_catalog(source)


def price_of(instance_type: str) -> int | None:
    """On-demand price in micro-dollars per hour, or None for a type that the catalog does not list."""
    found = load_catalog().get(instance_type)
    return None if found is None else found.price_micro_usd_per_hour


def _field(row: Mapping[str, str | None], name: str, line: int) -> Any:
    """One field in its declared type: text as it is, everything else a whole number."""
    value = row[name] or ""
    if name in _TEXT_COLUMNS:
        if not value and name not in _MAY_BE_EMPTY:
            raise ValueError(f"{_TABLE}:{line}: {name} is empty; give it a value")
        return value
    if not (value.isascii() and value.isdigit()) or (int(value) == 0 and name not in _MAY_BE_ZERO):
        raise ValueError(f"{_TABLE}:{line}: {name} is {value!r}; it must be a positive whole number")
    return int(value)
