"""Values by path."""

from __future__ import annotations

import pytest

from perf.paths import values

DATA = {
    "rows": [{"ms": 1}, {"ms": 2.5}, {"none": 3}],
    "by name": {"a": {"ms": 4}, "b": {"ms": 5}},
    "flag": True,
    "no": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("rows", 1, "ms"), [2.5]),
        (("rows", -1, "none"), [3.0]),
        (("rows", "*", "ms"), [1.0, 2.5]),
        (("by name", "*", "ms"), [4.0, 5.0]),
        (("flag",), [1.0]),
        (("no",), []),
        (("rows", 7, "ms"), []),
        (("rows", "ms"), []),
        (("missing", "*"), []),
        (("flag", "*"), []),
    ],
)
def test_numbers_are_found_and_nothing_else(path: tuple[str | int, ...], found: list[float]) -> None:
    assert values(DATA, path) == found
