"""WorkloadClass and WorkloadPolicy objects: round trip, defaults, and messages that name path, value and remedy."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.class_codec import (
    CAPACITY_TYPES,
    LIFECYCLES,
    ClassError,
    parse_workload_class,
    parse_workload_policy,
    workload_class_manifest,
)
from stowplan.model.workload_class import (
    Bounds,
    CapacityPreference,
    ColdStart,
    Cost,
    CpuSizing,
    Explicit,
    Latency,
    Limits,
    MemorySizing,
    Rollout,
    RolloutMode,
    Scaled,
    Scheduling,
    ScoreWeights,
    Shape,
    Size,
    Step,
    WorkloadClass,
    WorkloadPolicy,
    ZoneSpread,
)

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
LIMITS = st.none() | st.integers(100, 1000)


@st.composite
def weights(draw: st.DrawFn) -> ScoreWeights:
    """Four shares that sum to 100: the gaps between three cuts of 0..100."""
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=3, max_size=3)))
    return ScoreWeights(cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1], 100 - cuts[2])


@st.composite
def bounds(draw: st.DrawFn) -> Bounds:
    cpu = sorted(draw(st.lists(st.integers(1, 10**6), min_size=2, max_size=2)))
    memory = sorted(draw(st.lists(st.integers(1, 2**50), min_size=2, max_size=2)))
    return Bounds(cpu[0], cpu[1], memory[0], memory[1])


CAPACITY = st.permutations(CAPACITY_TYPES).flatmap(
    lambda types: st.lists(st.integers(1, 100), max_size=len(types)).map(
        lambda shares: tuple(CapacityPreference(kind, share) for kind, share in zip(types, shares, strict=False))
    )
)
SCHEDULING = st.builds(
    Scheduling,
    priority_class_name=NAMES,
    weights=weights(),
    max_node_load_percent=st.integers(1, 100),
    zone_spread=st.none() | st.builds(ZoneSpread, st.integers(1, 100), st.booleans(), st.integers(1, 1000)),
    host_skew_divisor=st.none() | st.integers(1, 100),
    capacity=CAPACITY,
)
CLASSES = st.builds(
    WorkloadClass,
    name=NAMES,
    description=st.text(max_size=40),
    tier=st.integers(0, 3),
    latency=st.sampled_from(Latency),
    cost=st.sampled_from(Cost),
    explicit=st.sampled_from(Explicit),
    cpu=st.builds(
        CpuSizing,
        st.integers(1, 100),
        st.integers(0, 500),
        st.none() | st.integers(1, 10_000),
        st.integers(1, 9999),
        st.integers(0, 9999),
    ),
    memory=st.builds(MemorySizing, st.integers(1, 100), st.integers(0, 500), st.integers(100, 500)),
    limits=st.builds(Limits, LIMITS, LIMITS),
    bounds=bounds(),
    step=st.builds(Step, st.integers(0, 100), st.integers(0, 1000), st.integers(0, 9999)),
    cold_start=st.builds(ColdStart, st.sampled_from([s for s in Size if s is not Size.AUTO]), st.sampled_from(Shape)),
    scheduling=SCHEDULING,
    rollout=st.sampled_from([Rollout(RolloutMode.OBSERVE), Rollout()])
    | st.builds(Rollout, st.just(RolloutMode.CANARY), st.integers(0, 100)),
    lifecycle=st.sampled_from(LIFECYCLES),
    replaced_by=NAMES,
).filter(
    lambda c: (
        c.name != c.replaced_by
        and not (c.tier == 0 and (c.cost is Cost.SAVE or any(p.type == "spot" for p in c.scheduling.capacity)))
        and not (c.tier == 3 and c.latency is Latency.TIGHT)
    )
)


def a_class(spec: dict[str, Any] | None = None, name: str = "gold") -> dict[str, Any]:
    return {"apiVersion": "stowplan.dev/v1alpha1", "kind": "WorkloadClass", "metadata": {"name": name}, "spec": spec}


def a_policy(spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "default", "namespace": "shop"}
    return {"apiVersion": "stowplan.dev/v1alpha1", "kind": "WorkloadPolicy", "metadata": metadata, "spec": spec}


@given(CLASSES)
def test_a_class_survives_the_round_trip_through_its_manifest(workload_class: WorkloadClass) -> None:
    assert parse_workload_class(workload_class_manifest(workload_class), strict=True) == workload_class


@pytest.mark.parametrize("name", BUILTIN_CLASSES)
def test_the_built_in_classes_survive_the_round_trip(name: str) -> None:
    assert parse_workload_class(workload_class_manifest(BUILTIN_CLASSES[name]), strict=True) == BUILTIN_CLASSES[name]


def test_a_class_that_says_nothing_is_standard_by_another_name() -> None:
    standard = BUILTIN_CLASSES["standard"]

    parsed = parse_workload_class(a_class())

    assert parsed.description == ""
    for field in ("tier", "cpu", "memory", "limits", "bounds", "step", "cold_start", "scheduling", "rollout"):
        assert getattr(parsed, field) == getattr(standard, field)


def test_an_empty_spread_packs_and_an_empty_capacity_list_prefers_nothing() -> None:
    scheduling = parse_workload_class(a_class({"scheduling": {"spread": {}, "capacity": []}})).scheduling

    assert (scheduling.zone_spread, scheduling.host_skew_divisor, scheduling.capacity) == (None, None, ())


def test_zero_takes_a_limit_away() -> None:
    limits = {"cpuPercent": 0, "memoryPercent": 0}

    assert parse_workload_class(a_class({"sizing": {"limits": limits}})).limits == Limits(None, None)


def test_units_are_read_at_the_edge() -> None:
    cpu = {"staffingFactor": 1.5, "window": "2d", "minHistory": "36h"}
    bounds_spec = {"cpuMin": "0.1", "cpuMax": 4, "memoryMin": "1e8", "memoryMax": "1Gi"}

    parsed = parse_workload_class(a_class({"sizing": {"cpu": cpu, "bounds": bounds_spec}}))

    # 1.5 = 1500 thousandths; 0.1 core = 100 millicores; 1e8 bytes; 1Gi = 1024^3
    assert (parsed.cpu.staffing_factor_thousandths, parsed.cpu.window_days, parsed.cpu.min_history_hours) == (
        1500,
        2,
        36,
    )
    assert parsed.bounds == Bounds(100, 4000, 100_000_000, 1_073_741_824)


@pytest.mark.parametrize(
    ("status", "generation", "revision"),
    [({"revision": 7}, 3, 7), ({}, 3, 3), (None, None, 1)],
    ids=["published", "generation", "neither"],
)
def test_the_revision_is_the_published_one_else_the_generation(
    status: dict[str, int] | None, generation: int | None, revision: int
) -> None:
    obj = {**a_class({}), "status": status, "metadata": {"name": "gold", "generation": generation}}

    assert parse_workload_class(obj).revision == revision


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"tier": 4}, r"WorkloadClass gold: spec\.tier: 4: must be a whole number from 0 to 3"),
        ({"tier": True}, r"spec\.tier: True: must be a whole number"),
        ({"latency": "quick"}, r"spec\.latency: 'quick': must be one of tight, normal, relaxed"),
        ({"sizing": 3}, r"spec\.sizing: 3: must be an object"),
        ({"description": 3}, r"spec\.description: 3: must be text"),
        ({"sizing": {"cpu": {"window": "14h"}}}, r"spec\.sizing\.cpu\.window: '14h': must be one or more days"),
        ({"sizing": {"cpu": {"minHistory": 3}}}, r"spec\.sizing\.cpu\.minHistory: 3: must be days"),
        ({"sizing": {"cpu": {"staffingFactor": 11}}}, r"staffingFactor: 11: must be from 0 .* to 10"),
        ({"sizing": {"cpu": {"staffingFactor": "x"}}}, r"staffingFactor: 'x': .*is not a Kubernetes quantity"),
        ({"sizing": {"limits": {"memoryPercent": 50}}}, r"memoryPercent: 50: must be 0 \(no limit\) or 100 and more"),
        ({"sizing": {"bounds": {"cpuMin": "17"}}}, r"bounds\.cpuMin: '17': must not exceed cpuMax \(16\)"),
        ({"sizing": {"bounds": {"memoryMin": "65Gi"}}}, r"memoryMin: '65Gi': must not exceed memoryMax \(64Gi\)"),
        ({"sizing": {"bounds": {"cpuMin": "0"}}}, r"cpuMin: '0': must be more than zero"),
        ({"sizing": {"bounds": {"cpuMin": "1 core"}}}, r"cpuMin: '1 core': .*is not a Kubernetes quantity"),
        ({"sizing": {"coldStart": {"size": "auto"}}}, r"coldStart\.size: 'auto': must be a size with an amount"),
        ({"scheduling": {"weights": {"pack": 100}}}, r"weights\.pack\+cost\+latency\+spread: .*sum to 100"),
        (
            {"scheduling": {"weights": {"pack": 40, "cost": 30, "latency": 20, "spread": 9}}},
            r"they must sum to 100",
        ),
        ({"scheduling": {"capacity": "spot"}}, r"scheduling\.capacity: 'spot': must be a list"),
        ({"scheduling": {"capacity": ["spot"]}}, r"capacity\[0\]: 'spot': must be an object"),
        ({"scheduling": {"capacity": [{"type": "spot"}]}}, r"capacity\[0\]: .*needs type and weight"),
        ({"scheduling": {"capacity": [{"type": "spot", "weight": 1}] * 2}}, r"capacity: .*names a capacity type twice"),
        ({"rollout": {"percent": 25}}, r"rollout\.percent: 25: is needed with mode Canary and only there"),
        ({"rollout": {"mode": "Canary"}}, r"rollout\.percent: None: is needed with mode Canary"),
        ({"lifecycle": "deprecated"}, r"spec\.replacedBy: '': a class that is deprecated must name its successor"),
        ({"replacedBy": "gold"}, r"replacedBy: 'gold': a class cannot replace itself"),
        ({"tier": 0, "cost": "save"}, r"spec\.cost: 'save': contradicts tier 0"),
        ({"tier": 0}, r"spec\.scheduling\.capacity: 'spot': contradicts tier 0"),
        ({"tier": 3, "latency": "tight"}, r"spec\.latency: 'tight': contradicts tier 3"),
    ],
    ids=str,
)
def test_an_error_names_path_value_and_remedy(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ClassError, match=message):
        parse_workload_class(a_class(spec))


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ([], "must be an object"),
        ({"kind": "Pod", "metadata": {"name": "x"}}, "must be stowplan.dev/v1alpha1 WorkloadClass"),
        ({"metadata": {}}, "metadata.name: None: is required"),
        (a_class({}, name="gold.r7"), "metadata.name: 'gold.r7': .*revision pins"),
        (a_class({}, name="g" * 41), "must be 1 to 40 of"),
    ],
    ids=["no object", "other kind", "no name", "pinned name", "long name"],
)
def test_an_object_that_is_no_class_is_refused(obj: Any, message: str) -> None:
    with pytest.raises(ClassError, match=message):
        parse_workload_class(obj)


def test_unknown_fields_are_errors_only_where_asked() -> None:
    obj = a_class({"sizing": {"cpu": {"percentil": 50}}})

    assert parse_workload_class(obj).cpu.percentile == 95
    with pytest.raises(ClassError, match=r"spec\.sizing\.cpu\.percentil: 50: unknown field; known are percentile,"):
        parse_workload_class(obj, strict=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["spec", "sizing", "cpu", "bounds", "cpuMin", "scheduling", "weights", "x"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_bad_input_of_any_shape_is_a_class_error(spec: Any) -> None:
    for strict in (False, True):
        with contextlib.suppress(ClassError):  # any other exception fails the test
            parse_workload_class(a_class(spec), strict=strict)
        with contextlib.suppress(ClassError):
            parse_workload_policy(a_policy(spec), strict=strict)


def test_a_policy_is_read_with_its_namespace() -> None:
    spec = {
        "defaultClass": "batch",
        "allowedClasses": ["batch", "dev"],
        "max": {"cpuPerPod": 8, "memoryPerPod": "32Gi"},
    }

    assert parse_workload_policy(a_policy({"hpa": "allow"})) == WorkloadPolicy("shop", scaled=Scaled.ALLOW)
    # 8 cores = 8000 millicores; 32 Gi = 2^35 bytes
    assert parse_workload_policy(a_policy(spec)) == WorkloadPolicy("shop", "batch", ("batch", "dev"), 8000, 2**35)


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ({"mode": "Observe"}, Rollout(RolloutMode.OBSERVE)),
        ({"mode": "Canary", "percent": 25}, Rollout(RolloutMode.CANARY, 25)),
        ({}, Rollout()),
        (None, None),
    ],
)
def test_a_policy_says_how_far_its_namespace_goes(rollout: Any, expected: Rollout | None) -> None:
    assert parse_workload_policy(a_policy({"rollout": rollout}), strict=True).rollout == expected


@pytest.mark.parametrize(
    ("scheduling", "expected"), [({"gate": True}, True), ({"gate": False}, False), ({}, False), (None, False)]
)
def test_a_policy_says_whether_batches_are_gated(scheduling: Any, expected: object) -> None:
    assert parse_workload_policy(a_policy({"scheduling": scheduling}), strict=True).gate is expected


def test_an_empty_policy_allows_everything() -> None:
    assert parse_workload_policy(a_policy({})) == WorkloadPolicy("shop")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"defaultClass": "gold", "allowedClasses": ["dev"]},
            r"defaultClass: 'gold': must be one of allowedClasses \(dev\)",
        ),
        ({"defaultClass": "gold.r2"}, r"defaultClass: 'gold\.r2': must be a class name without a revision pin"),
        ({"allowedClasses": ["gold.r2"]}, r"allowedClasses: \['gold\.r2'\]: must be a list of class names"),
        ({"allowedClasses": "gold"}, r"allowedClasses: 'gold': must be a list"),
        ({"max": {"cpuPerPod": "-1"}}, r"spec\.max\.cpuPerPod: '-1': .*negative"),
        ({"rollout": {"mode": "Canary"}}, r"spec\.rollout\.percent: None: is needed with mode Canary"),
        ({"rollout": {"percent": 5}}, r"spec\.rollout\.percent: 5: is needed with mode Canary and only there"),
        ({"scheduling": {"gate": "yes"}}, r"spec\.scheduling\.gate: 'yes': must be true or false"),
        ({"rollout": {"mode": "Halt"}}, r"spec\.rollout\.mode: 'Halt': must be one of Observe, Canary, Apply"),
        ({"hpa": "follow"}, r"spec\.hpa: 'follow': must be one of hold, allow"),
    ],
    ids=str,
)
def test_a_policy_error_names_path_value_and_remedy(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ClassError, match=message):
        parse_workload_policy(a_policy(spec))
