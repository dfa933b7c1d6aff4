"""Fixed heaps in environment, command and arguments, and the memory that holds them. 6Gi * 1.25 = 7680Mi."""

import json
from typing import Any

import pytest

from stowplan.model.keys import DECISION
from stowplan.model.reasons import Reason
from tests.support.learned import NOW_S, profile, recommended, stored
from tests.support.pods import GIB, MIB, admit, cluster, container, pod, resources
from webhook.runtimes import Heap, Runtime, find_heaps, heap_for


def env(**variables: str) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in variables.items()]


@pytest.mark.parametrize(
    ("raw", "runtime", "heap", "flag"),
    [
        ({"env": env(JAVA_TOOL_OPTIONS="-XX:+UseG1GC -Xmx6g")}, "jvm", 6 * GIB, "-Xmx in JAVA_TOOL_OPTIONS"),
        ({"env": env(JDK_JAVA_OPTIONS="-Xmx512M")}, "jvm", 512 * MIB, "-Xmx in JDK_JAVA_OPTIONS"),
        ({"env": env(_JAVA_OPTIONS="-Xmx1048576k")}, "jvm", GIB, "-Xmx in _JAVA_OPTIONS"),
        ({"env": env(JAVA_OPTS="-Xmx2147483648")}, "jvm", 2 * GIB, "-Xmx in JAVA_OPTS"),
        ({"args": ["-Xmx2g", "-jar", "a.jar"]}, "jvm", 2 * GIB, "-Xmx in the command line"),
        ({"command": ["sh", "-c", "exec java -Xms1g -Xmx3g -jar a.jar"]}, "jvm", 3 * GIB, "-Xmx in the command line"),
        ({"args": ["-XX:MaxHeapSize=4g"]}, "jvm", 4 * GIB, "-Xmx in the command line"),
        ({"args": ["-Xms2g"]}, "jvm", 2 * GIB, "-Xms in the command line"),
        # HotSpot: the later of two flags wins, and _JAVA_OPTIONS is read last
        ({"args": ["-Xmx1g", "-Xmx2g"]}, "jvm", 2 * GIB, "-Xmx in the command line"),
        ({"env": env(JAVA_TOOL_OPTIONS="-Xmx1g"), "args": ["-Xmx2g"]}, "jvm", 2 * GIB, "-Xmx in the command line"),
        ({"env": env(_JAVA_OPTIONS="-Xmx1g"), "args": ["-Xmx2g"]}, "jvm", GIB, "-Xmx in _JAVA_OPTIONS"),
        ({"env": env(HEAP="3g"), "args": ["-Xmx$(HEAP)"]}, "jvm", 3 * GIB, "-Xmx in the command line"),
        ({"env": env(GOMEMLIMIT="1GiB")}, "go", GIB, "GOMEMLIMIT"),
        ({"env": env(GOMEMLIMIT="1000000B")}, "go", 1_000_000, "GOMEMLIMIT"),
        ({"env": env(GOMEMLIMIT="1000000")}, "go", 1_000_000, "GOMEMLIMIT"),
        (
            {"env": env(NODE_OPTIONS="--max-old-space-size=4096")},
            "node",
            4 * GIB,
            "--max-old-space-size in NODE_OPTIONS",
        ),
        (
            {"command": ["node", "--max_old_space_size=1024", "a.js"]},
            "node",
            GIB,
            "--max-old-space-size in the command line",
        ),
    ],
)
def test_heaps_are_found(raw: dict[str, Any], runtime: str, heap: int, flag: str) -> None:
    assert find_heaps(raw) == (Heap(Runtime(runtime), heap, flag),)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"env": env(JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=75.0")},  # follows the size
        {"env": env(NODE_OPTIONS="--max-old-space-size-percentage=70")},
        {"env": env(GOMEMLIMIT="off")},
        {"env": [{"name": "GOMEMLIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]},
        {"env": env(JAVA_TOOL_OPTIONS="-Xmx$(UNKNOWN)", NOTES="-Xmx6g")},
        {"env": env(JAVA_TOOL_OPTIONS="-Xmx6gb -Xmx0 -Xmxg")},
        {"args": ["--notes=-Xmx6g"]},
        {"env": "text", "args": {"a": 1}, "command": [3, None]},
        {"env": [3, {"name": 4}, {"name": "GOMEMLIMIT", "value": 5}]},
    ],
)
def test_percentages_references_and_nonsense_need_no_floor(raw: dict[str, Any]) -> None:
    assert find_heaps(raw) == ()


def test_the_named_runtime_counts_else_the_one_that_needs_most() -> None:
    heaps = find_heaps(
        {"env": env(JAVA_TOOL_OPTIONS="-Xmx1g", GOMEMLIMIT="2GiB", NODE_OPTIONS="--max-old-space-size=64")}
    )

    # 1Gi * 1.25 = 1280Mi; 2Gi * 1.1 = 2252.8, rounded up to 2253Mi; 64Mi * 1.25 = 80Mi
    assert {h.runtime: h.memory // MIB for h in heaps} == {Runtime.JVM: 1280, Runtime.GO: 2253, Runtime.NODE: 80}
    assert heap_for(heaps, None) == heaps[1]
    assert heap_for(heaps, Runtime.JVM) == heaps[0]
    assert heap_for(heaps, Runtime.NATIVE) is None


def learned(**more: Any) -> Any:
    return cluster(profiles=stored(profile(recommended(memory=5 * GIB))), now_s=NOW_S, **more)


def java(**more: Any) -> dict[str, Any]:
    labels = {"pod-template-hash": "abc"}
    return pod(
        container(env=env(JAVA_TOOL_OPTIONS="-Xmx6g"), **more.pop("raw", {})),
        labels=labels,
        owner=("ReplicaSet", "web-abc"),
        **more,
    )


def test_memory_holds_the_heap_and_the_record_shows_it() -> None:
    verdict = admit(java(), learned())

    # the fifth worked example of the proposal: 7.5Gi, and the class's limit of 125 %
    assert resources(verdict)["requests"]["memory"] == "7680Mi"
    assert resources(verdict)["limits"]["memory"] == "9600Mi"
    assert "memory raised to 7680Mi for a jvm heap of 6Gi, -Xmx in JAVA_TOOL_OPTIONS" in verdict.why
    assert verdict.pod is not None
    record = json.loads(verdict.pod["metadata"]["annotations"][DECISION])
    assert record["limitedBy"] == ["HeapFloor"]
    assert record["memory"] == {"from": None, "ideal": "5Gi", "set": "7680Mi"}
    assert (record["inputs"]["runtime"], record["inputs"]["heap"]) == ("jvm", "6Gi")


def test_a_cold_start_holds_the_heap_too() -> None:
    assert resources(admit(java(), cluster()))["requests"]["memory"] == "7680Mi"


def test_the_annotation_says_which_runtime_it_is() -> None:
    native = admit(java(annotations={"stowplan.dev/runtime": "native"}), learned())
    wrong = admit(java(annotations={"stowplan.dev/runtime": "cobol"}), learned())

    assert resources(native)["requests"]["memory"] == "5Gi"
    assert resources(wrong)["requests"]["memory"] == "7680Mi"
    assert "stowplan.dev/runtime=cobol: ignored; write one of jvm, go, node, python, native" in wrong.warnings


def test_the_users_own_bound_and_numbers_win_with_a_warning() -> None:
    bounded = admit(java(annotations={"stowplan.dev/memory-max": "2Gi"}), learned())
    own = admit(java(raw={"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}}), learned())

    assert resources(bounded)["requests"]["memory"] == "2Gi"
    assert own.reason is Reason.USAGE_SIZED  # for the CPU
    assert resources(own)["limits"]["memory"] == "2Gi"
    told = "app: a jvm heap of 6Gi (-Xmx in JAVA_TOOL_OPTIONS) does not fit in its memory limit of 2Gi"
    assert told in own.warnings
