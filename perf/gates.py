"""Gates: bounds that a regression breaks. The verdict is a pure function of the results.

Every gate is a ratio to a baseline of the same run, or a figure that does not depend on the machine. Seconds alone are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from perf.cluster import PlaceName
from perf.part import Profile
from perf.paths import Step, values
from perf.results import PartResult


class Direction(StrEnum):
    """On which side of the bound it is good."""

    AT_MOST = "at-most"
    AT_LEAST = "at-least"


class Kind(StrEnum):
    """Why a gate holds on any machine."""

    RATIO = "ratio"
    """Measured against a baseline in the same run."""
    QUALITY = "quality"
    """Computed, not timed: a cost, a share, a count."""


class Status(StrEnum):
    """What became of a gate."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    """Its part ran and did not bring the figure, or failed: as bad as a failure."""
    SKIPPED = "skipped"
    """Its part was not asked for, or there is no bound at this profile."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound with its provenance: what was measured when it was set."""

    bound: float
    mean: float
    """Mean over the runs."""
    spread: float
    """Standard deviation over the runs."""
    runs: int
    margin: float
    """Between mean and bound, chosen well above the spread."""
    date: str
    command: str


@dataclass(frozen=True, slots=True)
class Gate:
    """One figure and its bounds, by profile."""

    name: str
    part: str
    says: str
    """The figure in words, with its baseline."""
    unit: str
    value: tuple[Step, ...]
    """Where in the part's data; of several figures the worst counts."""
    over: tuple[Step, ...]
    """Where the baseline's figure is, to divide by; empty where the part has divided."""
    direction: Direction
    kind: Kind
    bounds: Mapping[Profile, Bound]
    target: float | None = None
    """What is to be reached in the end, which the bound may not have reached yet."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate on one set of results."""

    gate: Gate
    profile: Profile
    status: Status
    value: float | None = None
    samples: tuple[float, ...] = ()
    note: str = ""

    @property
    def bound(self) -> Bound | None:
        """The bound that applied."""
        return self.gate.bounds.get(self.profile)

    @property
    def broken(self) -> bool:
        """Whether the run must fail."""
        return self.status in (Status.FAILED, Status.MISSING)

    @property
    def distance(self) -> float | None:
        """How far on the good side of the bound, in the gate's unit; negative beyond it."""
        if self.value is None or self.bound is None:
            return None
        difference = self.value - self.bound.bound
        return difference if self.gate.direction is Direction.AT_LEAST else -difference

    @property
    def reaches_target(self) -> bool | None:
        """Whether the target is reached; None without one or without a figure."""
        if self.gate.target is None or self.value is None:
            return None
        return _holds(self.value, self.gate.target, self.gate.direction)


def judge(gates: Iterable[Gate], results: Mapping[str, PartResult], profile: Profile) -> list[Verdict]:
    """The verdict on every gate. Results of another profile are not judged."""
    return [_judge(gate, results.get(gate.part), profile) for gate in gates]


def _judge(gate: Gate, result: PartResult | None, profile: Profile) -> Verdict:
    bound = gate.bounds.get(profile)
    if result is None or result.profile is not profile:
        return Verdict(gate, profile, Status.SKIPPED, note=f"part {gate.part} was not measured")
    if result.cluster != PlaceName.SANDBOX.value:
        note = f"part {gate.part} was measured in {result.cluster}; bounds are of the sandbox"
        return Verdict(gate, profile, Status.SKIPPED, note=note)
    if result.error is not None:
        return Verdict(gate, profile, Status.MISSING, note=f"part {gate.part} failed: {_first_line(result.error)}")
    samples = _samples(gate, result)
    value = (min(samples) if gate.direction is Direction.AT_LEAST else max(samples)) if samples else None
    if bound is None:
        return Verdict(gate, profile, Status.SKIPPED, value, samples, f"no bound for the {profile} profile")
    if value is None:
        where = ".".join(map(str, gate.value))
        return Verdict(gate, profile, Status.MISSING, note=f"part {gate.part} has no number at {where}")
    status = Status.PASSED if _holds(value, bound.bound, gate.direction) else Status.FAILED
    return Verdict(gate, profile, status, value, samples)


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else text


def _samples(gate: Gate, result: PartResult) -> tuple[float, ...]:
    """All figures of a gate; with a baseline, each over the one at the same place, or over the only one."""
    figures = values(result.data, gate.value)
    if not gate.over:
        return tuple(figures)
    baselines = values(result.data, gate.over)
    if len(baselines) == 1:
        baselines *= len(figures)
    if len(baselines) != len(figures) or 0.0 in baselines:
        return ()
    return tuple(figure / baseline for figure, baseline in zip(figures, baselines, strict=True))


def _holds(value: float, bound: float, direction: Direction) -> bool:
    return value >= bound if direction is Direction.AT_LEAST else value <= bound


def sentence(verdict: Verdict) -> str:
    """What is wrong, or how much room is left: name, figure, bound, distance."""
    gate, bound, distance = verdict.gate, verdict.bound, verdict.distance
    if verdict.value is None or bound is None or distance is None:
        return f"{gate.name}: {verdict.note}"
    side = "at least" if gate.direction is Direction.AT_LEAST else "at most"
    worse = f"worse by {_number(-distance)}" if distance < 0 else f"{_number(distance)} to spare"
    sigmas = f", {abs(distance) / bound.spread:.1f} spreads" if bound.spread else ""
    return (
        f"{gate.name}: {_number(verdict.value)} {gate.unit}, must be {side} {_number(bound.bound)} ({worse}{sigmas}; "
        f"measured {_number(bound.mean)} on {bound.date}): {gate.says}"
    )


def see_more(verdict: Verdict) -> str:
    """The command that measures the part of a gate again."""
    target = "perf-short" if verdict.profile is Profile.SHORT else "perf"
    return f"make {target} PERF='--parts {verdict.gate.part}'"


def _number(value: float) -> str:
    return f"{value:.4g}"


def worst_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Broken ones first, otherwise in the order of the gates."""
    order = {Status.FAILED: 0, Status.MISSING: 1, Status.PASSED: 2, Status.SKIPPED: 3}
    return sorted(verdicts, key=lambda verdict: order[verdict.status])
