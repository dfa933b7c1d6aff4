"""CP-SAT over the reduced instance: one solve per stage of the objective, each starting from the best known solution.

Under a time limit FEASIBLE is the normal case. What was proven is reported as a bound, never assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from extender.binpacking import objectives
from extender.binpacking.candidates import Candidates, choose
from extender.binpacking.constraints import CONSTRAINTS
from extender.binpacking.cp_sat import cp_model
from extender.binpacking.feasibility import Packing, Slots
from extender.binpacking.instance import Instance
from extender.binpacking.variables import Expression, PackingVariables

_LEAST_WALL_S: Final = 0.01
NO_BUDGET: Final = objectives.Budget()


def _nothing(_: int) -> int:
    """A stage that later ones leave alone."""
    return 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the solver may spend."""

    wall_s: float = 1.0
    """Seconds of wall time for all stages together."""
    work: float | None = None
    """Deterministic work units per stage (`max_deterministic_time`). With it, and one worker, equal input gives equal output."""
    workers: int = 1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Solution:
    """The solver's best slots, and what it proved."""

    slots: Slots
    cost_bound: int
    """Proven lower bound of the opening cost, of the reduced model; 0 where nothing was proven."""
    complete: bool
    """Whether the bound holds for the instance: nothing was left out and no constraint is stricter than kube-scheduler's."""
    optimal: bool
    """Whether every stage was solved to optimality."""


@dataclass(frozen=True, slots=True)
class NothingFound:
    """The limit was reached before any solution."""


@dataclass(frozen=True, slots=True)
class Infeasible:
    """The model has no solution at all: its constraints are stricter than kube-scheduler's for this instance."""


Result = Solution | NothingFound | Infeasible


@dataclass(frozen=True, slots=True)
class _Stage:
    """One term of the objective and the share (percent) of what time is left that it may take."""

    name: str
    term: Callable[[PackingVariables], Expression]
    incumbent: int
    share: int
    allowance: Callable[[int], int] = _nothing
    """How much worse than its value later stages may make it."""


def improve(
    instance: Instance, incumbent: Packing, previous: Slots, limits: Limits, budget: objectives.Budget = NO_BUDGET
) -> Result:
    """Look for something better than the incumbent, in the order of the objective."""
    candidates = choose(instance, [dict(enumerate(incumbent.slots)), previous])
    variables = PackingVariables(instance, candidates)
    for constraint in CONSTRAINTS:
        constraint.add(variables)
    return _Search(variables, dict(enumerate(incumbent.slots)), limits).run(
        _stages(incumbent, previous, budget), candidates
    )


def _stages(incumbent: Packing, previous: Slots, budget: objectives.Budget) -> list[_Stage]:
    _, cost, discomfort, given_up = objectives.score(incumbent, previous)
    weights = objectives.priority_weights(incumbent.instance)
    weighted = sum(weights[i.signature.priority] * incumbent.left(n) for n, i in enumerate(incumbent.instance.items))
    return [
        _Stage("unplaced", objectives.unplaced, weighted, 40),
        _Stage("cost", objectives.opening_cost, cost, 65, budget.allowance),
        # the penalty of the residents' load is a constant of the model, so zero here does not mean zero there
        _Stage("headroom", objectives.headroom, max(1, discomfort), 60),
        _Stage("stability", lambda variables: objectives.given_up(variables, previous), given_up, 100),
    ]


class _Search:
    def __init__(self, variables: PackingVariables, hint: Slots, limits: Limits) -> None:
        self._variables = variables
        self._limits = limits
        self._slots: Slots = hint
        self._wall_s = limits.wall_s
        self._found = False
        self._moved = False
        self._optimal = True
        self._cost_bound = 0

    def run(self, stages: list[_Stage], candidates: Candidates) -> Result:
        """Solve stage after stage; a stage that the incumbent solves perfectly is only stated."""
        for stage in stages:
            term = stage.term(self._variables)
            if stage.incumbent == 0:
                self._variables.model.add(term <= stage.allowance(0))
                continue
            status, value = self._solve(term, stage)
            if status == cp_model.INFEASIBLE and not self._found:
                return Infeasible()
            if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                self._optimal = False
                break
            self._variables.model.add(term <= value + stage.allowance(value))
        if not self._found:
            return NothingFound()
        return Solution(self._slots, self._cost_bound, candidates.complete and _exact(self._variables), self._optimal)

    def _solve(self, term: Expression, stage: _Stage) -> tuple[cp_model.CpSolverStatus, int]:
        variables = self._variables
        variables.hint(self._slots)
        variables.model.minimize(term)
        solver = self._solver(stage)
        status = solver.solve(variables.model)
        self._wall_s -= solver.wall_time
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return status, 0
        self._found = True
        self._optimal = self._optimal and status == cp_model.OPTIMAL
        value = round(solver.objective_value)
        if stage.name == "cost":
            self._cost_bound = max(0, round(solver.best_objective_bound))
        if stage.name == "headroom" or value < stage.incumbent or self._moved:
            self._slots, self._moved = (
                variables.extract(solver),
                True,
            )  # else the incumbent is as good, and better known
        return status, value

    def _solver(self, stage: _Stage) -> cp_model.CpSolver:
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.random_seed = self._limits.seed
        parameters.num_workers = self._limits.workers
        # repair_hint is left off: in 9.15 it ends the process when the limit is reached early (google/or-tools#5025)
        parameters.cp_model_probing_level = 0  # with probing and symmetry, presolve alone takes the second that we have
        parameters.symmetry_level = 0
        parameters.max_presolve_iterations = 1
        if self._limits.work is not None:
            parameters.max_deterministic_time = self._limits.work
        else:
            parameters.max_time_in_seconds = max(_LEAST_WALL_S, self._wall_s * stage.share / 100)
        return solver


def _exact(variables: PackingVariables) -> bool:
    """Whether the model forbids nothing that placing one pod after another allows."""
    instance = variables.instance
    spreads = any(rule.constraint.hard for rule in instance.spreads)
    return not instance.affinities and not spreads and all(rule.items == rule.counted for rule in instance.limits)
