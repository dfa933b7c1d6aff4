"""Arrivals with departures on EC2 nodes: what the node-hours cost."""

from __future__ import annotations

from typing import Any, Final

from perf.part import Context, Data, Part, takes
from perf.report.figures import bars, dots
from perf.report.section import Plot, Section, Table
from perf.simulation import azure

_TARGETS: Final = {
    "stowplan": 1.19,
    "stowplan-batches": 1.19,
    "stowplan-true-lifetimes": 1.14,
    "stowplan-batches-true-lifetimes": 1.14,
    "stowplan-moves": 1.10,
}

_SHORT_ROUNDS: Final = 50
_SHORT_MIXES: Final = ("m5, all sizes", "m7i.4xlarge + m7i.16xlarge")


def _measure_elastic(context: Context) -> Data:
    context.progress.update("one sample of tenants" if context.short else "five samples of tenants")
    return azure.measure(azure.JUDGED_FOLDS[:1], _SHORT_ROUNDS) if context.short else azure.measure()


def _elastic(data: Data) -> Section:
    policies = _cheapest_first(data["elastic"])
    return Section(
        "Azure arrivals, elastic",
        f"Node-hours paid for, over the bound of used core-hours at full nodes: m5.8xlarge nodes open on demand and close when "
        f"empty, {len(data['folds'])} disjoint sample(s) of tenants, first day as warm-up. Lifetimes are learned while replaying.",
        [
            Plot(
                "Each dot is one sample of tenants, the bar is the mean; the diamond is the target. Left is better, 1 is the bound.",
                dots(
                    {name: values["by_trace"] for name, values in policies.items()},
                    "cost over the bound",
                    marks=_TARGETS,
                    mark="target",
                ),
            )
        ],
        [_table("Cost over the bound", policies), _limits(data["limits"])],
        (
            "A move is a pod that is evicted and placed again; only the policy with moves does that.",
            "Policies named batches see pods that arrive at the same moment together, as first-fit-decreasing does; the others one by one.",
        ),
    )


def _limits(limits: Data) -> Table:
    rows = [(name, f"{values['mean']:.3f}", f"{max(values['by_trace']):.3f}") for name, values in limits.items()]
    return Table(
        "What bounds it: not even with moves below whole pods; with hindsight, all arrivals and departures are known and nothing moves",
        ("packing", "mean", "worst"),
        rows,
    )


def _measure_shapes(context: Context) -> Data:
    folds = azure.JUDGED_FOLDS[:1]
    if context.short:
        context.progress.update("two mixes of types")
        return {"folds": list(folds), "mixes": azure.mixes(folds, _SHORT_MIXES)}
    context.progress.update("mixes of types, fixed nodes")
    return azure.shapes(folds)


def _shapes(data: Data) -> Section:
    mixes: dict[str, Any] = data["mixes"]
    names = list(next(iter(mixes.values())))
    return Section(
        "Azure arrivals on other shapes",
        "The same arrivals where nodes of several types open, where memory is mixed as well, and on a fixed number of nodes. "
        "Whatever the mix, stowplan must not cost more than most-allocated.",
        [
            Plot(
                "Cost over the bound by mix of node types; lower is better.",
                bars(
                    list(mixes),
                    {name: [mix[name]["mean"] for mix in mixes.values()] for name in names},
                    "cost over the bound",
                ),
            )
        ],
        [
            Table(
                "Mixes: cost over the bound",
                ("mix", *names, "stowplan / most"),
                [
                    (
                        mix,
                        *(f"{rows[n]['mean']:.3f}" for n in names),
                        f"{rows['stowplan']['worst_to_most_allocated']:.3f}",
                    )
                    for mix, rows in mixes.items()
                ],
            ),
            *(
                _table(title, _cheapest_first(data[key]))
                for title, key in (("Fixed nodes", "fixed"), ("One type at its nominal size", "elastic, nominal size"))
                if key in data
            ),
        ],
    )


def _cheapest_first(policies: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(policies.items(), key=lambda entry: entry[1]["mean"]))


def _table(title: str, policies: dict[str, Any]) -> Table:
    rows = [
        (
            name,
            f"{values['mean']:.3f}",
            f"{max(values['by_trace']):.3f}",
            f"{values['worst_to_most_allocated']:.3f}",
            str(values["unplaced"]),
            f"{values['moves'] / values['pods']:.3f}" if values["pods"] else "",
        )
        for name, values in policies.items()
    ]
    return Table(title, ("policy", "mean", "worst", "worst / most-allocated", "unplaced", "moves per pod"), rows)


ELASTIC = Part("azure", _measure_elastic, _elastic, takes=takes(30, 300))
SHAPES = Part("shapes", _measure_shapes, _shapes, takes=takes(16, 150))
