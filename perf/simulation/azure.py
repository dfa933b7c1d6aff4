"""Azure arrivals with departures on EC2 nodes: node-hours paid for, over the bound of full nodes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

from perf.simulation.traces import AZURE_WINDOW, azure_pods, ec2_type
from simulator.bounds import lower_bound
from simulator.engine import Replay
from simulator.hindsight import hindsight
from simulator.policies import Policy, policy_named
from simulator.policies.stowplan_moves import StowplanWithMoves
from simulator.trace import NodeRow, Trace
from simulator.whole_pods import whole_pod_bound

JUDGED_FOLDS: Final = (3, 4, 5, 6, 7)
"""Disjoint from folds 0 to 2, on which parameters were chosen."""
_POLICIES: Final = (
    "least-allocated", "most-allocated", "first-fit-decreasing", "random", "dot-product", "stowplan", "stowplan-batches",
    "stowplan-moves", "stowplan-true-lifetimes", "stowplan-batches-true-lifetimes",
)  # fmt: skip
_TYPE: Final = "m5.8xlarge"
MIXES: Final[dict[str, tuple[str, ...]]] = {
    "m5, all sizes": ("m5.large", "m5.xlarge", "m5.2xlarge", "m5.4xlarge", "m5.8xlarge", "m5.12xlarge"),
    "c5 + m5 + r5": ("c5.4xlarge", "c5.9xlarge", "m5.4xlarge", "m5.8xlarge", "r5.4xlarge", "r5.8xlarge"),
    "c6i.24xlarge": ("c6i.24xlarge",),
    "m7i.4xlarge + m7i.16xlarge": ("m7i.4xlarge", "m7i.16xlarge"),
}
_MEMORY: Final = (0.5, 1.0, 2.0, 4.0)
"""GiB a core relative to the trace's 1.75, by batch: CPU-bound and memory-bound pods side by side."""
_FIXED_NODES: Final = 170
_ROUNDS: Final = 200
"""Of ruin and recreate in the packing with hindsight: some seconds a sample."""


def measure(folds: Sequence[int] = JUDGED_FOLDS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """The main comparison, and what bounds it: elastic, one type."""
    traces = [elastic_trace(fold) for fold in folds]
    return {"folds": list(folds), "elastic": _compare(traces, _POLICIES), "limits": _limits(traces, rounds)}


def limits(folds: Sequence[int] = JUDGED_FOLDS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """What bounds the main comparison, by itself."""
    return {"folds": list(folds), "limits": _limits([elastic_trace(fold) for fold in folds], rounds)}


def _limits(traces: list[Trace], rounds: int) -> dict[str, Any]:
    """Over the same bound: what not even moves get below, and a packing that knows all arrivals and departures and moves nothing."""
    ratios: dict[str, list[float]] = {"whole pods": [], "hindsight, longest first": [], "hindsight, rearranged": []}
    for trace in traces:
        bound = lower_bound(trace, AZURE_WINDOW).node_hours_micro_usd
        found = (
            whole_pod_bound(trace, AZURE_WINDOW).node_hours_micro_usd,
            hindsight(trace, AZURE_WINDOW),
            hindsight(trace, AZURE_WINDOW, rounds),
        )
        for values, cost in zip(ratios.values(), found, strict=True):
            values.append(round(cost / bound, 4))
    return {name: {"mean": round(statistics.fmean(values), 4), "by_trace": values} for name, values in ratios.items()}


def moves(folds: Sequence[int] = JUDGED_FOLDS) -> dict[str, Any]:
    """What `stowplan moves` saves as it is run by default beside an extender, and what it does with less."""
    ways: dict[str, Callable[[], Policy]] = {
        "most-allocated": partial(policy_named, "most-allocated"),
        "no moves": partial(policy_named, "stowplan"),
        "moves": StowplanWithMoves,
        "lifetimes not known": partial(StowplanWithMoves, lifetimes=False),
        "no waiting for budgets": partial(StowplanWithMoves, waits=False),
    }
    return {"folds": list(folds), "elastic": _compare_made([elastic_trace(fold) for fold in folds], ways)}


def shapes(folds: Sequence[int] = JUDGED_FOLDS[:1]) -> dict[str, Any]:
    """Other shapes: the type at its nominal size, a fixed cluster, mixes of types, mixed memory."""
    nominal = [elastic_trace(fold, (ec2_type(_TYPE, nominal=True),)) for fold in folds]
    return {
        "folds": list(folds),
        "mixes": mixes(folds),
        "elastic, nominal size": _compare(nominal, _POLICIES),
        "fixed": _compare([_fixed(fold) for fold in folds], _POLICIES[:8]),
    }


def mixes(folds: Sequence[int] = JUDGED_FOLDS[:1], names: Collection[str] | None = None) -> dict[str, Any]:
    """Where nodes of several types open, and where memory is mixed; all sets, or those of these names."""
    return {
        name: _compare(
            [elastic_trace(fold, tuple(map(ec2_type, types)), memory) for fold in folds], ("most-allocated", "stowplan")
        )
        for name, types, memory in _sets()
        if names is None or name in names
    }


def _sets() -> list[tuple[str, tuple[str, ...], tuple[float, ...]]]:
    plain = [(name, types, (1.0,)) for name, types in MIXES.items()]
    return plain + [(f"{name}, mixed memory", types, _MEMORY) for name, types in list(MIXES.items())[:2]]


def elastic_trace(fold: int, types: tuple[NodeRow, ...] | None = None, memory: tuple[float, ...] = (1.0,)) -> Trace:
    """A sample on elastic nodes: of the one type of the main comparison, or of these."""
    return Trace(types or (ec2_type(_TYPE),), azure_pods(fold, memory), elastic=True, timed=True)


def _fixed(fold: int) -> Trace:
    kind = ec2_type(_TYPE)
    nodes = tuple(
        NodeRow(
            f"node-{n}",
            kind.cpu_millicores,
            kind.memory_bytes,
            price_micro_usd_per_hour=kind.price_micro_usd_per_hour,
            max_pods=kind.max_pods,
        )
        for n in range(_FIXED_NODES)
    )
    return Trace(nodes, azure_pods(fold), timed=True)


def _compare(traces: list[Trace], policies: Sequence[str]) -> dict[str, Any]:
    return _compare_made(traces, {name: partial(policy_named, name) for name in policies})


def _compare_made(traces: list[Trace], policies: Mapping[str, Callable[[], Policy]]) -> dict[str, Any]:
    """Cost over the bound, by policy and trace; and means."""
    ratios: dict[str, list[float]] = {name: [] for name in policies}
    others: dict[str, dict[str, int]] = {name: {"unplaced": 0, "moves": 0, "pods": 0} for name in policies}
    for trace in traces:
        bound = lower_bound(trace, AZURE_WINDOW).node_hours_micro_usd
        for name, make in policies.items():
            outcome = Replay(trace, make(), window=AZURE_WINDOW).run()
            ratios[name].append(round(outcome.node_hours_micro_usd / bound, 4))
            others[name]["unplaced"] += outcome.unplaced
            others[name]["moves"] += outcome.moves
            others[name]["pods"] += outcome.placed
    most = ratios["most-allocated"]
    return {
        name: {
            "mean": round(statistics.fmean(values), 4),
            "by_trace": values,
            "worst_to_most_allocated": round(max(v / m for v, m in zip(values, most, strict=True)), 4),
            **others[name],
        }
        for name, values in ratios.items()
    }
