"""The runner: one part's failure is its own."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perf.cluster import PlaceName
from perf.part import Context, Data, Part, Profile
from perf.registry import PARTS
from perf.runner import LIMITS_IN_KIND_S, chosen, failed, run
from tests.support.perf import part, section

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)


def broken(_context: Context) -> Data:
    raise OSError("no disk")


def test_a_part_that_fails_is_a_result_and_the_next_one_runs(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [Part("first", broken, section), part("second", {"cost": 1})]
    results = [result for _, result in run(parts, Profile.SHORT, clock=lambda: NOW)]
    assert [(r.part, r.data, r.error) for r in results] == [
        ("first", None, "OSError: no disk"),
        ("second", {"cost": 1}, None),
    ]
    assert failed(results) == results[:1]
    assert results[0].started_at == "2026-11-25T18:00:00Z"
    assert results[1].command == "make perf-short PERF='--parts second'"
    assert "Traceback" in capsys.readouterr().err


def test_a_part_gets_its_profile_traces_and_an_empty_directory_that_goes_away(tmp_path: Path) -> None:
    seen: list[Context] = []

    def measure(context: Context) -> Data:
        seen.append(context)
        assert not list(context.scratch.iterdir())
        (context.scratch / "file").touch()
        return {"cost": 1}

    measured = Part("one", measure, section, starts_processes=True)
    list(run([measured], Profile.FULL, traces=tmp_path))
    assert (seen[0].profile, seen[0].short, seen[0].traces) == (Profile.FULL, False, tmp_path)
    assert not seen[0].scratch.exists()


def test_what_a_part_had_found_before_it_failed_is_kept() -> None:
    def measure(context: Context) -> Data:
        context.keep({"cost": 1})
        context.keep({"cost": 2})
        return broken(context)

    ((_, found),) = run([Part("first", measure, section)], Profile.SHORT)
    assert (found.data, found.error) == ({"cost": 2}, "OSError: no disk")


async def _asleep() -> None:
    await asyncio.sleep(600)


@pytest.mark.parametrize("hang", [lambda: time.sleep(600), lambda: asyncio.run(_asleep())], ids=["blocked", "loop"])
def test_a_part_that_hangs_is_given_up_and_the_next_one_runs(hang: Callable[[], None]) -> None:
    cleaned: list[Path] = []

    def measure(context: Context) -> Data:
        try:
            hang()
        finally:
            cleaned.append(context.scratch)
        return {}

    parts = [Part("first", measure, section), part("second", {"cost": 1})]
    first, second = [result for _, result in run(parts, Profile.SHORT, limit_s=0.2)]
    assert first.error == "TimeoutError: not done after 0 min; given up"
    assert second.data == {"cost": 1}
    assert len(cleaned) == 1


def test_a_part_that_hangs_is_given_up_in_the_background_too() -> None:
    def measure(_context: Context) -> Data:
        time.sleep(600)
        return {}

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells start what runs in the background
    try:
        ((_, found),) = run([Part("first", measure, section)], Profile.SHORT, limit_s=0.2)
        assert found.error == "TimeoutError: not done after 0 min; given up"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_no_failure_of_the_part() -> None:
    def measure(_context: Context) -> Data:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(run([Part("first", measure, section)], Profile.SHORT))


def test_what_an_interrupted_part_had_found_is_given_first() -> None:
    def measure(context: Context) -> Data:
        context.keep({"cost": 1})
        raise KeyboardInterrupt

    running = run([Part("first", measure, section), part("second", {})], Profile.SHORT)
    _, result = next(running)
    assert (result.data, result.error) == ({"cost": 1}, "interrupted")
    with pytest.raises(KeyboardInterrupt):
        next(running)


def test_a_part_is_shown_with_its_number_and_what_to_expect(capsys: pytest.CaptureFixture[str]) -> None:
    list(run([part("a", {}), part("b", {})], Profile.SHORT, expected={"b": "3 min"}))
    said = capsys.readouterr().err
    assert "[1/2] a ..." in said
    assert "[2/2] b (about 3 min) ..." in said


def test_results_come_one_by_one() -> None:
    results = run([part("first", {"cost": 1}), Part("second", broken, section)], Profile.SHORT)
    assert next(results)[1].data == {"cost": 1}  # at hand before the second has begun


def test_parts_are_chosen_by_profile_or_by_name() -> None:
    parts = [part("a", {}), part("b", {}, profiles=frozenset({Profile.FULL})), part("c", {})]
    assert [p.name for p in chosen(parts, [], Profile.SHORT)] == ["a", "c"]
    assert [p.name for p in chosen(parts, [], Profile.FULL)] == ["a", "b", "c"]
    assert [p.name for p in chosen(parts, ["c", "b"], Profile.SHORT)] == ["b", "c"]
    with pytest.raises(ValueError, match="part 'd': there is no such part; choose from a, b, c"):
        chosen(parts, ["d"], Profile.SHORT)


def test_names_are_fit_for_files_and_unique() -> None:
    with pytest.raises(ValueError, match="use lower-case letters"):
        part("a/b", {})
    names = [p.name for p in PARTS]
    assert len(set(names)) == len(names)


def test_what_runs_in_kind_says_how_long_it_takes_there() -> None:
    in_kind = [one for one in PARTS if PlaceName.KIND in one.places]
    assert [one.name for one in in_kind] == ["throughput", "churn", "admission"]
    assert all(set(one.takes_in_kind) == set(Profile) for one in in_kind)
    # Half an hour in all, so that a part is given up only when all three together would be done.
    assert sum(one.takes_in_kind[Profile.FULL] for one in in_kind) < LIMITS_IN_KIND_S[Profile.FULL]
