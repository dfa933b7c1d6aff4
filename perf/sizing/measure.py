"""Every trace through every strategy, and the targets checked on the days that took no part in tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from perf.sizing import causal
from perf.sizing.converters import bitbrains, crane, online_boutique
from perf.sizing.oracle import Hindsight, hindsight, least_cores, least_memory_by_rule
from perf.sizing.targets import OVERRUNS, best_price, cpu_target, memory_target
from perf.sizing.uncertainty import cells, interval
from recommender.amounts import Floats
from recommender.replaying.by_class import ByClass
from recommender.replaying.frontier import Frontier, sweep
from recommender.replaying.judge import Plan, Verdict, judge
from recommender.replaying.replay import replay
from recommender.replaying.report import calibration
from recommender.replaying.strategies import strategy
from recommender.replaying.usage import Usage, usage_of
from stowplan.model.builtin_classes import BUILTIN_CLASSES

DATA: Final = Path(__file__).parent / "data"
BASELINES: Final = ("vpa", "krr")
OVERRUN_PRICES: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Of which one is chosen for each baseline, on the tuning days."""
FEW_DRAWS: Final = 400
"""For each of the prices that were not chosen; the chosen one has the usual number."""
TUNING_DAYS: Final = (15, 45)
"""Days of Bitbrains on which constants were chosen: learned before the first, judged up to the second."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Trace:
    """A recording and the first of its judged days."""

    usage: Usage
    learn_days: int


def load(folder: Path | None) -> dict[str, Trace]:
    """The three traces; from the shipped samples if no folder is given."""
    if folder is None:
        boutique = pl.read_csv(DATA / "online_boutique.csv.gz", infer_schema=False)
        vms = pl.read_csv(DATA / "bitbrains.csv.gz", infer_schema=False)
        series = pl.read_csv(DATA / "crane.csv.gz", infer_schema=False)
    else:
        boutique = pl.read_csv(folder / "onlineboutique" / "pod_usage_1min.csv.gz", infer_schema=False)
        vms = pl.read_parquet(folder / "bitbrains" / "usage.parquet")
        series = pl.read_csv(folder / "crane_cpu" / "series.csv.gz", infer_schema=False)
    frames = {
        "bitbrains": bitbrains(vms),
        "online-boutique": online_boutique(boutique),
        "crane": crane(series.with_columns(pl.col("ts").cast(pl.Int64))),
    }
    usages = {name: usage_of(frame, name) for name, frame in frames.items()}
    learn = {"bitbrains": TUNING_DAYS[1] if folder else 7, "online-boutique": 1, "crane": 9 if folder else 3}
    return {name: Trace(usage, learn[name]) for name, usage in usages.items()}


def until(usage: Usage, days: int) -> Usage:
    """The first days of a recording."""
    kept = usage.day < days
    return Usage(
        usage.names,
        usage.container[kept],
        usage.t_s[kept],
        usage.cpu[kept],
        usage.memory[kept],
        usage.cpu_provisioned[kept],
        usage.memory_provisioned[kept],
    )


def plans(trace: Trace, names: tuple[str, ...] = BASELINES) -> dict[str, Plan]:
    """What the baselines request."""
    return {name: replay(trace.usage, strategy(name, trace.usage), trace.learn_days) for name in names}


def verdicts(trace: Trace, names: tuple[str, ...] = BASELINES) -> dict[str, Verdict]:
    """Baselines on the judged days."""
    return {name: judge(trace.usage, plan, trace.learn_days) for name, plan in plans(trace, names).items()}


def chosen_prices(tuning: Trace) -> dict[str, float]:
    """The overrun price for each baseline, by the tuning days."""
    frontiers = {
        price: sweep(tuning.usage, tuning.learn_days, breach_risks=(), overrun_price=price) for price in OVERRUN_PRICES
    }
    return {name: best_price(frontiers, verdict) for name, verdict in verdicts(tuning).items()}


def compare(trace: Trace, prices: dict[str, float]) -> dict[str, Any]:
    """Targets of one trace against each baseline, with their intervals, the bounds of hindsight and the frontiers themselves.

    The target is judged at the price that was chosen before; what the other prices come to is shown beside it, and decides nothing.
    """
    baselines = plans(trace)
    memory = sweep(trace.usage, trace.learn_days, risks=()).memory
    frontiers = {
        price: Frontier(sweep(trace.usage, trace.learn_days, breach_risks=(), overrun_price=price).cpu, memory)
        for price in OVERRUN_PRICES
    }
    drawn = {
        price: [cells(trace.usage, at.plan.cpu, trace.learn_days) for at in of.cpu] for price, of in frontiers.items()
    }
    known = {
        "one request": hindsight(trace.usage, trace.learn_days, each_day=False),
        "each day": hindsight(trace.usage, trace.learn_days, each_day=True),
    }
    judged, rules = causal.family(trace.usage, trace.learn_days)
    with_memory = bool(np.isfinite(trace.usage.memory).any())
    result: dict[str, Any] = {}
    for name, plan in baselines.items():
        verdict, frontier = judge(trace.usage, plan, trace.learn_days), frontiers[prices[name]]
        theirs = cells(trace.usage, plan.cpu, trace.learn_days)
        result[name] = {
            "overrun_price": prices[name],
            "cpu": cpu_target(frontier.cpu, verdict),
            "cpu_by_price": {
                price: {
                    **_in_short(cpu_target(of.cpu, verdict)),
                    "draws_that_meet": _met_in_draws(drawn[price], theirs),
                }
                for price, of in frontiers.items()
            },
            "cpu_uncertainty": interval(drawn[prices[name]], theirs),
            "best_rule_in_hindsight": causal.best(judged, rules, plan.cpu[:, trace.learn_days :]),
            "hindsight_saving": {kind: _at_most(of, verdict) for kind, of in known.items()},
            "memory": memory_target(frontier.memory, verdict) if with_memory else None,
            "memory_rule_saving": _by_rule(trace, verdict, known["each day"].hours) if with_memory else None,
            "changes_per_workload_day": verdict.summary()["changes_per_workload_day"],
            "frontier": frontier.as_json(),
        }
    return result


def _in_short(found: dict[str, Any]) -> dict[str, Any]:
    """Saving and overrun shares over the baseline's; nothing but `met` where its unmet demand is not reached."""
    ours, theirs = found["reached"], found["baseline"]
    if ours is None:
        return {"met": False}
    over = {key: round(ours[key] / theirs[key], 3) for key in OVERRUNS if theirs[key]}
    return {"saving": found["saving"], **over, "met": found["met"]}


def _met_in_draws(ours: list[Floats], theirs: Floats) -> float:
    """Share of draws of containers and days that meet the whole target."""
    found = interval(ours, theirs, FEW_DRAWS)
    share: float = found.get("both", found["containers"])["target_met"]
    return share


def _at_most(of: Hindsight, verdict: Verdict) -> dict[str, float]:
    """The largest saving that anybody can reach at a baseline's unmet demand, with and without its mean overrun share as a bound."""
    theirs = verdict.summary()["cpu"]
    scale = 1000 * theirs["requested"] / float(of.hours.sum())
    bounds = {"both bounds": theirs["overrun_share"], "unmet demand only": None}
    return {
        kind: round(1 - least_cores(of, theirs["unmet"], overrun, scale) / theirs["requested"], 4)
        for kind, overrun in bounds.items()
    }


def _by_rule(trace: Trace, verdict: Verdict, hours: Floats) -> float | None:
    """The saving of the best floor and factor on the past peak in hindsight, where there is a single judged day; else None."""
    usage = trace.usage
    if usage.days - trace.learn_days != 1:
        return None
    peaks = usage.daily_max(usage.memory)
    past = np.nanmax(peaks[:, : trace.learn_days], axis=1)
    breaches = int(verdict.breach_days.sum())
    least = least_memory_by_rule(past, peaks[:, trace.learn_days], hours, breaches)
    return round(1 - least / float(verdict.memory_requested.sum()), 4)


def classes(trace: Trace) -> dict[str, Any]:
    """Every class on the judged days: measures, and achieved beside declared risk."""
    result: dict[str, Any] = {}
    for name, wclass in BUILTIN_CLASSES.items():
        sizer = ByClass(trace.usage, wclass)
        verdict = judge(trace.usage, replay(trace.usage, sizer, trace.learn_days), trace.learn_days)
        result[name] = {**verdict.summary(), "calibration": calibration(verdict, sizer.risk)}
    return result


def measure_all(folder: Path | None, progress: Progress) -> dict[str, Any]:
    """Everything that docs/sizing.md reports, but for the timing."""
    traces = load(folder)
    progress("tuning days of Bitbrains")
    whole = traces["bitbrains"]
    learn, end = TUNING_DAYS if folder else (3, 7)
    prices = chosen_prices(Trace(until(whole.usage, end), learn))
    result: dict[str, Any] = {"sample": folder is None, "overrun_prices": prices, "traces": {}}
    for name, trace in traces.items():
        progress(
            f"{name}: {len(trace.usage.names)} containers, judged from day {trace.learn_days} of {trace.usage.days}"
        )
        result["traces"][name] = {"targets": compare(trace, prices), "classes": classes(trace)}
    return result
