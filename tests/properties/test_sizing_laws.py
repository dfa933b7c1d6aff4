"""Laws of sizing, on generated histories and distributions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecasting import forecast, peaks
from recommender.forecasting.analogs import day_weights
from recommender.remembering.codes import decode, encode
from recommender.remembering.history import History, sketch, window
from recommender.risk import LEVEL_MAX, LEVEL_MIN, Levels, Risk, declared
from recommender.sizing.grid import CPU_GRID, MEMORY_GRID, change, rounded
from recommender.sizing.sizing import sizes, staffing
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import Step
from tests.support.usage import MONDAY

cores = st.floats(0, 64_000, allow_nan=False)
bytes_ = st.floats(2**20, 2**36, allow_nan=False)
days = st.lists(st.tuples(st.lists(cores, min_size=1, max_size=24), bytes_), min_size=1, max_size=20)
classes = st.sampled_from(sorted(BUILTIN_CLASSES))
level = st.floats(LEVEL_MIN, LEVEL_MAX)


def history_of(of_days: list[tuple[list[float], float]], scale: float = 1.0) -> History:
    history = History()
    for age, (cpu, memory) in enumerate(of_days, start=1):
        values = np.array(cpu) * scale
        history.add(MONDAY - age, sketch(np.arange(len(cpu)) * 3600, values, np.full(len(cpu), memory * scale)))
    return history


def sized(history: History, wclass: str, at: float) -> tuple[float, float]:
    found = sizes(
        window([history], MONDAY), BUILTIN_CLASSES[wclass], declared(BUILTIN_CLASSES[wclass]), Levels.start(1, at, at)
    )
    return float(found.cpu[0]), float(found.memory[0])


@given(days, classes, level, level)
def test_a_tighter_level_never_asks_for_less(
    of_days: list[tuple[list[float], float]], wclass: str, one: float, other: float
) -> None:
    tight, loose = (sized(history_of(of_days), wclass, at) for at in sorted((one, other)))
    assert tight[0] >= loose[0]
    assert tight[1] >= loose[1]


@given(days, classes, level)
def test_requests_are_on_the_grid_within_the_bounds_of_the_class(
    of_days: list[tuple[list[float], float]], wclass: str, at: float
) -> None:
    cpu, memory = sized(history_of(of_days), wclass, at)
    bounds = BUILTIN_CLASSES[wclass].bounds
    assert bounds.cpu_min <= cpu <= bounds.cpu_max
    assert bounds.memory_min <= memory <= bounds.memory_max
    assert rounded(np.array([cpu]), CPU_GRID)[0] == cpu
    assert rounded(np.array([memory]), MEMORY_GRID)[0] == memory


@given(days, st.floats(0.001, 0.9), st.floats(0.001, 0.9))
def test_the_predicted_risk_of_a_request_is_the_one_asked_for(
    of_days: list[tuple[list[float], float]], overrun: float, unmet: float
) -> None:
    seen = window([history_of(of_days)], MONDAY)
    use = forecast.forecast(seen, day_weights(seen))
    request = forecast.within_risk(use, np.array([overrun]), np.array([unmet]))[0]
    at = int((use.use[0] <= request).sum()) - 1
    assert use.overrun[0, at] <= overrun + 1e-9
    assert use.unmet[0, at] <= unmet * use.mean[0] + 1e-6


@given(days)
def test_more_memory_never_breaches_more(of_days: list[tuple[list[float], float]]) -> None:
    made = peaks.peak_forecast(window([history_of(of_days)], MONDAY))
    assert (np.diff(made.memory[0]) > 0).all()
    assert (np.diff(made.breach[0]) <= 1e-12).all()
    assert ((made.breach >= 0) & (made.breach <= 1 + 1e-9)).all()


@given(days)
def test_a_checkpoint_changes_no_recommendation(of_days: list[tuple[list[float], float]]) -> None:
    history = history_of(of_days)
    assert sized(History.from_checkpoint(history.checkpoint()), "standard", 0.3) == sized(history, "standard", 0.3)


@given(st.lists(st.floats(0.001, 1e14), min_size=1))
def test_codes_keep_order_and_are_close(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    codes = encode(ordered)
    assert (np.diff(codes.astype(np.int64)) >= 0).all()
    assert np.allclose(decode(codes), ordered, rtol=3.1e-4)


@given(st.floats(1, 64_000), st.floats(1, 64_000), st.integers(1, 90), st.integers(0, 200), st.booleans())
def test_a_change_lies_between_old_and_new_and_within_its_step(
    old: float, new: float, down: int, hours: int, may_shrink: bool
) -> None:
    rules = Step(max_down_percent=down)
    of = change(np.array([old]), np.array([new]), rules, 0.1, np.array([hours]), np.array([may_shrink]))
    value = of.value[0]
    assert min(old, new) <= value <= max(old, new)
    assert value >= old * (100 - down) / 100 - 1e-9
    assert value >= old or (may_shrink and hours >= rules.cooldown_hours)


@given(st.floats(0, 1000), st.integers(2, 500), st.integers(0, 3000))
def test_staffing_covers_the_load_and_pools(load: float, replicas: int, factor: int) -> None:
    each = staffing(load, replicas, factor)
    assert each * replicas >= load * 1000 - 1e-3
    assert staffing(load, replicas + 1, factor) <= each
    assert staffing(load * 1.5, replicas, factor) >= each


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3), st.booleans()), max_size=60))
def test_levels_never_leave_their_range(outcomes: list[tuple[float, float, bool]]) -> None:
    levels = Levels.start(1, 0.5, 0.5)
    risk = Risk(0.06, 0.06, 0.04)
    for overrun, unmet, breached in outcomes:
        levels.learn_cpu(risk, np.array([overrun]), np.array([unmet]))
        levels.learn_memory(risk, np.array([True]), np.array([breached]))
        assert LEVEL_MIN <= levels.cpu[0] <= LEVEL_MAX
        assert LEVEL_MIN <= levels.memory[0] <= LEVEL_MAX
