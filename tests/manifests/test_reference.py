"""The reference pages say what the code says: every number of a class, every key, every field of the CRDs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stowplan.model import keys
from stowplan.model.builtin_classes import BUILTIN_CLASSES, PRIORITY_CLASSES
from stowplan.model.quantity import format_bytes, format_cpu
from stowplan.model.sizes import named_size
from stowplan.model.workload_class import Shape, Size, WorkloadClass
from tests.support.manifest_files import Manifest, of_kind

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PREEMPTS = {p.name: "yes" if p.preempts else "no" for p in PRIORITY_CLASSES}
VALUE = {p.name: f"{p.value}" for p in PRIORITY_CLASSES}


def percent_or_none(value: int | None, of: str = "% of request") -> str:
    return "none" if value is None else f"{value}{of}"


def spread_of(c: WorkloadClass) -> str:
    zone = c.scheduling.zone_spread
    if zone is None:
        return "none"
    return (
        f"skew {zone.max_skew}, hard from {zone.hard_from_replicas} replicas"
        if zone.hard
        else f"skew {zone.max_skew}, soft"
    )


def cpu_of(c: WorkloadClass) -> str:
    return f"p{c.cpu.percentile} + {c.cpu.margin_percent}%"


def memory_of(c: WorkloadClass) -> str:
    return f"{'max' if c.memory.percentile == 100 else f'p{c.memory.percentile}'} + {c.memory.margin_percent}%"


ROWS: dict[str, Callable[[WorkloadClass], str]] = {
    "tier": lambda c: str(c.tier),
    "latency": lambda c: c.latency,
    "cost": lambda c: c.cost,
    "user's own numbers": lambda c: c.explicit,
    "cold start": lambda c: f"{c.cold_start.size}, {c.cold_start.shape}",
    "bounds of CPU": lambda c: f"{format_cpu(c.bounds.cpu_min)} to {format_cpu(c.bounds.cpu_max)}",
    "bounds of memory": lambda c: f"{format_bytes(c.bounds.memory_min)} to {format_bytes(c.bounds.memory_max)}",
    "CPU limit": lambda c: percent_or_none(c.limits.cpu_percent),
    "memory limit": lambda c: percent_or_none(c.limits.memory_percent),
    "PriorityClass": lambda c: f"`{c.scheduling.priority_class_name}`",
    "priority": lambda c: VALUE[c.scheduling.priority_class_name],
    "preempts": lambda c: PREEMPTS[c.scheduling.priority_class_name],
    "zone spread": spread_of,
    "host spread": lambda c: (
        f"replicas / {c.scheduling.host_skew_divisor}, soft" if c.scheduling.host_skew_divisor else "none"
    ),
    "capacity": lambda c: ", ".join(f"{p.type} {p.weight}" for p in c.scheduling.capacity),
    "weights pack / cost / latency / spread": lambda c: (
        f"{c.scheduling.weights.pack} / {c.scheduling.weights.cost} / {c.scheduling.weights.latency} / {c.scheduling.weights.spread}"
    ),
    "node load": lambda c: f"{c.scheduling.max_node_load_percent}%",
    "CPU from usage": cpu_of,
    "staffing factor": lambda c: (
        f"{c.cpu.staffing_factor_thousandths / 1000:g}" if c.cpu.staffing_factor_thousandths else "none"
    ),
    "memory from usage": memory_of,
    "window / least history": lambda c: f"{c.cpu.window_days} d / {c.cpu.min_history_hours // 24} d",
    "largest step down": lambda c: f"{c.step.max_down_percent}%" if c.step.max_down_percent else "free",
}


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS)
def test_the_class_table_has_the_numbers_of_the_code(row: str) -> None:
    cells = " | ".join(ROWS[row](c) for c in BUILTIN_CLASSES.values())

    assert f"| {row} | {cells} |" in page("classes.md")


def test_the_columns_are_the_classes_in_order() -> None:
    assert f"| | {' | '.join(f'`{name}`' for name in BUILTIN_CLASSES)} |" in page("classes.md")


@pytest.mark.parametrize("size", [s for s in Size if s is not Size.AUTO], ids=str)
def test_the_size_table_has_the_amounts_of_the_code(size: Size) -> None:
    cpu = format_cpu(named_size(size, Shape.GENERAL)[0])
    memory = " | ".join(format_bytes(named_size(size, shape)[1]) for shape in (Shape.GENERAL, Shape.CPU, Shape.MEMORY))

    assert f"| `{size}` | {cpu} | {memory} |" in page("classes.md")


def user_keys() -> list[str]:
    return sorted({value for value in vars(keys).values() if isinstance(value, str) and "stowplan.dev/" in value})


@pytest.mark.parametrize("key", user_keys())
def test_every_key_is_documented(key: str) -> None:
    assert f"{key}`" in page("labels.md")


def fields(schema: Manifest, path: str) -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from fields(part, f"{path}.{name}")


@pytest.mark.parametrize("kind", ["workloadclasses", "workloadpolicies"])
def test_every_leaf_of_a_spec_is_documented(kind: str) -> None:
    (version,) = of_kind("CustomResourceDefinition", "crds")[f"{kind}.stowplan.dev"]["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    text = page("crds.md")

    assert [path for path in fields(spec, "spec") if f"`{path.rsplit('.', 1)[-1]}`" not in text] == []
