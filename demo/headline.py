"""The result in one sentence, as modest as the numbers."""

from demo.environment import Variant
from demo.result import DemoResult, RunResult


def headline(result: DemoResult) -> str:
    """What stowplan changed in dollars an hour, against the fairest baseline that ran."""
    ours = result.runs.get(Variant.STOWPLAN)
    baselines = [(name, run) for name, run in result.runs.items() if name in _NAMES]
    if ours is None or not baselines:
        only = ", ".join(f"{name} ${run.cost_per_hour:.2f}/h" for name, run in result.runs.items())
        return f"Mean price of the nodes in use: {only}; there is nothing to compare with."
    parts = [
        f"{_change(ours, run)} than {_NAMES.get(name, name)} (${run.cost_per_hour:.2f}/h)" for name, run in baselines
    ]
    return (
        f"Over {result.window_hours:g} h of real arrivals stowplan kept nodes worth ${ours.cost_per_hour:.2f}/h in use: "
        f"{' and '.join(parts)}.{_apart(result)}"
    )


def _apart(result: DemoResult) -> str:
    """What each of the two halves does alone, where all of it was run."""
    stock, sized, packed = (
        result.runs.get(variant) for variant in (Variant.STOCK, Variant.RIGHT_SIZED, Variant.PACKED)
    )
    if stock is None or sized is None or packed is None:
        return ""
    return f" Alone, learned sizes are {_change(sized, stock)} and packing is {_change(packed, stock)} than it."


_NAMES: dict[str, str] = {
    Variant.STOCK: "the stock scheduler",
    Variant.MOST_ALLOCATED: "a stock scheduler set to pack",
}


def saving(ours: RunResult, baseline: RunResult) -> float:
    """Share of the baseline's mean $/h that we save; negative when we cost more."""
    return 1 - ours.cost_per_hour / baseline.cost_per_hour if baseline.cost_per_hour else 0.0


def _change(ours: RunResult, baseline: RunResult) -> str:
    share = saving(ours, baseline)
    if abs(share) < _NOTHING:
        return "no cheaper and no dearer"
    return f"{abs(share):.0%} {'cheaper' if share > 0 else 'dearer'}"


_NOTHING = 0.005
"""Below half a percent is no difference."""
