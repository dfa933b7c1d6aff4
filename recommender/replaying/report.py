"""The result of `stowplan replay`: measures of every strategy, the achieved beside the declared risk, and the frontier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recommender.replaying.by_class import ByClass
from recommender.replaying.frontier import Frontier, sweep
from recommender.replaying.judge import Verdict, judge
from recommender.replaying.replay import replay
from recommender.replaying.strategies import OURS, strategy
from recommender.replaying.usage import Usage
from recommender.risk import Risk

Progress = Callable[[str], None]


def calibration(verdict: Verdict, risk: Risk) -> dict[str, Any]:
    """Declared risks and the share of workloads whose achieved risk is within them; None where nothing was judged."""
    overrun, unmet, breach = verdict.overrun_share(), verdict.unmet(), verdict.breach_share()
    judged, with_memory = np.isfinite(overrun), np.isfinite(breach)
    cpu = (overrun[judged] <= risk.overrun) & (unmet[judged] <= risk.unmet)
    memory = breach[with_memory] <= risk.breach
    return {
        "declared": {"overrun_share": risk.overrun, "unmet": risk.unmet, "breach_days": risk.breach},
        "within": {
            "cpu": round(float(cpu.mean()), 4) if len(cpu) else None,
            "memory": round(float(memory.mean()), 4) if len(memory) else None,
        },
    }


def run(
    usage: Usage, names: Sequence[str], learn_days: int, *, with_frontier: bool, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Replay the recording through all strategies; JSON-ready.

    Raises:
        ValueError: an unknown strategy, or no day left to judge.
    """
    chosen = {name: strategy(name, usage) for name in names}
    strategies: dict[str, Any] = {}
    for name, sizer in chosen.items():
        progress(name)
        verdict = judge(usage, replay(usage, sizer, learn_days), learn_days)
        strategies[name] = verdict.summary()
        if isinstance(sizer, ByClass):
            strategies[name]["calibration"] = calibration(verdict, sizer.risk)
    result: dict[str, Any] = {
        "learn_days": learn_days,
        "judged_days": usage.days - learn_days,
        "workloads": len(usage.names),
        "strategies": strategies,
    }
    if with_frontier:
        progress("frontier")
        frontier: Frontier = sweep(usage, learn_days)
        result["frontier"] = {OURS: frontier.as_json()}
    return result
