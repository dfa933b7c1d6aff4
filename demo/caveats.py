"""What the demo does not show, said in the report itself."""

from demo.environment import Variant
from demo.result import DemoResult

_BUSY_MS = 1000.0
_ALWAYS = (
    """The node set is fixed and has about half as much again as the peak needs. A scheduler that spreads touches every
    node of it, so the distance to the stock scheduler grows with the head-room that one chooses; the stock scheduler set
    to pack is the fairer comparison.""",
    """No autoscaler runs. Dollars are the list price of nodes with at least one pod of the demo on them; a real cluster
    gives empty nodes back late, or not at all while a system pod is on them.""",
    """The trace of arrivals knows no usage. What the pods used is recorded from other real machines (Bitbrains, 2013), given to
    the workloads by a hash of their names and scaled to what each asked for: shapes and idleness are real, the pairing is ours.
    Those machines used a tenth of their CPU, which is usual, so there is much to save.""",
    """Memory stays as users wrote it, because the recording has only the hypervisor's active memory. With CPU requests a fraction
    of what they were, memory decides how many pods fit on a node, and the packing left to do is another one.""",
    """The risk is that of requests against recorded use on the next day. Nothing here contends for a CPU, so no latency of an
    application is measured.""",
    """Time is compressed several hundred times. A second that a plan takes to make is minutes of trace time here: in a
    real cluster the plan would be fresher.""",
    """Classes, Deployments and Jobs are our reading of lifetimes and batch sizes; the trace has VMs. Classes bring spread
    over zones, and head-room for the critical ones, which costs money that the baselines do not spend.""",
    """One trace, one window, one node mix: it was not chosen for its result, but it is one sample.""",
)
_PLAYED = (
    "The pods are played by KWOK: they run nothing, start at once and do not disturb each other. Shapes, prices and pod "
    "limits of the nodes are real, the load is not."
)
_EXISTING = (
    "It ran in an existing cluster: other pods may share its nodes, a node counts only for the demo's own pods, and nodes of a "
    "type without a known price cost nothing here. Latencies of the services are missing where their metrics cannot be read."
)


def caveats(result: DemoResult) -> list[str]:
    """The standing caveats, and those of this result."""
    found = [" ".join(text.split()) for text in _ALWAYS]
    found.append(_EXISTING if result.existing_cluster else _PLAYED)
    if Variant.MOST_ALLOCATED not in result.runs:
        found.insert(
            0, "The fairer baseline, a stock scheduler set to pack (run most-allocated), was left out of this demo."
        )
    cpus, load = result.machine["cpus"], result.machine["load_average"]
    if load > cpus:
        found.insert(
            0,
            f"The machine ({cpus:g} CPUs) was busy with other work (load {load:g}): latencies and throughput are worse than ours.",
        )
    for name, run in result.runs.items():
        if run.largest_lag_ms > _BUSY_MS:
            found.insert(
                0,
                f"In run {name} the machine was so busy that the replay fell {run.largest_lag_ms / 1000:.1f} s behind: "
                "its numbers are not fair.",
            )
        if run.replacements:
            found.append(
                f"In run {name} controllers made {run.replacements} pods anew, in place of preempted or evicted ones."
            )
    ours = result.runs.get(Variant.STOWPLAN)
    if ours is not None:
        others = {name: count for name, count in ours.scheduled_by.items() if name != "stowplan-scheduler"}
        if others:
            found.append(f"Not all pods of the stowplan run were placed by stowplan-scheduler: {others}.")
    return found
