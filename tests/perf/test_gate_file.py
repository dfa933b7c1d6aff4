"""The file of gates: what is in the repository is sound, and what would be meaningless is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf.gate_file import read_gates
from perf.gates import Gate
from perf.part import Profile
from perf.registry import PARTS

ENTRY = """
[[gate]]
name = "cost"
part = "packing"
says = "cost over the baseline's"
unit = "x"
value = ["cost"]
direction = "at-most"
kind = "ratio"
"""
BOUND = (
    'short = { bound = 1.2, mean = 1.1, spread = 0.02, runs = 5, margin = 0.1, date = 2026-11-25, command = "make" }\n'
)


def read(tmp_path: Path, text: str) -> list[Gate]:
    path = tmp_path / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return read_gates(path)


def test_a_gate_with_everything_that_is_known_of_its_bound(tmp_path: Path) -> None:
    (gate,) = read(tmp_path, ENTRY + BOUND)
    bound = gate.bounds[Profile.SHORT]
    assert (bound.bound, bound.mean, bound.spread, bound.runs, bound.margin) == (1.2, 1.1, 0.02, 5, 0.1)
    assert bound.date == "2026-11-25"
    assert Profile.FULL not in gate.bounds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace('unit = "x"', 'unit = "ms"'), "depends on the machine"),
        (ENTRY.replace('says = "cost over the baseline\'s"', ""), "field 'says' is missing"),
        (ENTRY.replace("at-most", "below"), "choose at-most or at-least"),
        (ENTRY.replace('"ratio"', '"seconds"'), "choose ratio or quality"),
        (ENTRY + "bond = 1\n", "field 'bond' is unknown"),
        (ENTRY + BOUND.replace("margin = 0.1", "margin = 0.3"), "is not mean and margin, 1.4"),
        (ENTRY + BOUND.replace("spread = 0.02", "spread = 0.1"), "is not above the spread"),
        (ENTRY + BOUND.replace("runs = 5, ", ""), "give bound, mean, spread, runs, margin, date and command"),
        (ENTRY + ENTRY, "is there twice"),
    ],
)
def test_what_makes_a_gate_meaningless_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, text)
    assert "'cost'" in str(caught.value)


def test_the_gates_of_the_repository_are_about_parts_that_exist() -> None:
    gates = read_gates()
    assert gates
    assert {gate.part for gate in gates} <= {part.name for part in PARTS}


def test_every_part_that_ci_measures_has_a_gate_that_ci_judges() -> None:
    judged = {gate.part for gate in read_gates() if Profile.SHORT in gate.bounds}
    measured = {part.name for part in PARTS if Profile.SHORT in part.profiles}
    assert measured <= judged
