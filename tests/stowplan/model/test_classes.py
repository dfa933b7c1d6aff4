"""The size table, the built-in classes and small laws about them."""

import pytest

from stowplan.model.builtin_classes import BUILTIN_CLASSES, DEFAULT_CLASS, PRIORITY_CLASSES
from stowplan.model.pod import HostPort, Pod, PodSignature
from stowplan.model.sizes import named_size
from stowplan.model.workload_class import Shape, Size

MI, GI = 2**20, 2**30


@pytest.mark.parametrize(
    ("size", "shape", "cpu", "memory"),
    [
        (Size.XS, Shape.GENERAL, 100, 384 * MI),
        (Size.XS, Shape.CPU, 100, 192 * MI),
        (Size.XS, Shape.MEMORY, 100, 768 * MI),
        (Size.S, Shape.GENERAL, 250, 1 * GI),  # 0.25 cores at 4 GiB a core
        (Size.S, Shape.CPU, 250, 512 * MI),
        (Size.M, Shape.GENERAL, 500, 2 * GI),
        (Size.XXL, Shape.CPU, 4_000, 8 * GI),
        (Size.X8L, Shape.MEMORY, 16_000, 128 * GI),
    ],
)
def test_named_sizes(size: Size, shape: Shape, cpu: int, memory: int) -> None:
    assert named_size(size, shape) == (cpu, memory)


def test_auto_is_not_a_size() -> None:
    with pytest.raises(ValueError, match="auto names no amount"):
        named_size(Size.AUTO, Shape.GENERAL)


def test_there_are_five_classes_and_each_has_a_priority_class_of_its_own() -> None:
    names = {c.name for c in PRIORITY_CLASSES}

    assert list(BUILTIN_CLASSES) == ["critical", "standard", "elastic", "batch", "dev"]
    assert {c.scheduling.priority_class_name for c in BUILTIN_CLASSES.values()} == names
    assert DEFAULT_CLASS in BUILTIN_CLASSES


@pytest.mark.parametrize("name", list(BUILTIN_CLASSES))
def test_every_class_is_coherent(name: str) -> None:
    cls = BUILTIN_CLASSES[name]
    weights = cls.scheduling.weights
    cpu, memory = named_size(cls.cold_start.size, cls.cold_start.shape)

    assert weights.pack + weights.cost + weights.latency + weights.spread == 100
    assert cls.bounds.cpu_min <= cpu <= cls.bounds.cpu_max
    assert cls.bounds.memory_min <= memory <= cls.bounds.memory_max
    assert cls.limits.memory_percent is None or cls.limits.memory_percent >= 100
    assert cls.limits.cpu_percent is None or cls.limits.cpu_percent >= 100
    assert cls.label == f"{name}.r1"


def test_only_the_two_upper_priorities_preempt() -> None:
    assert [(p.name, p.preemption_policy) for p in PRIORITY_CLASSES if p.preempts] == [
        ("stowplan-critical", "PreemptLowerPriority"),
        ("stowplan-standard", "PreemptLowerPriority"),
    ]
    assert [p.value for p in PRIORITY_CLASSES] == sorted((p.value for p in PRIORITY_CLASSES), reverse=True)


@pytest.mark.parametrize(
    ("other", "conflicts"),
    [
        (HostPort("0.0.0.0", "TCP", 80), True),
        (HostPort("10.0.0.1", "TCP", 80), True),  # 0.0.0.0 takes the port on every address
        (HostPort("0.0.0.0", "UDP", 80), False),
        (HostPort("0.0.0.0", "TCP", 81), False),
    ],
)
def test_host_ports_conflict_by_protocol_port_and_address(other: HostPort, *, conflicts: bool) -> None:
    assert HostPort("0.0.0.0", "TCP", 80).conflicts(other) is conflicts
    assert other.conflicts(HostPort("0.0.0.0", "TCP", 80)) is conflicts


def test_host_ports_on_two_addresses_do_not_conflict() -> None:
    assert not HostPort("10.0.0.1", "TCP", 80).conflicts(HostPort("10.0.0.2", "TCP", 80))


@pytest.mark.parametrize("field", ["node_name", "finished", "deleting", "gated"])
def test_a_pod_is_pending_until_it_has_a_node_ends_or_is_held(field: str) -> None:
    pod = Pod("uid", "shop", "web-1", PodSignature("shop", (), (("pods", 1),)))
    assert pod.pending

    setattr(pod, field, "n1" if field == "node_name" else True)

    assert not pod.pending
