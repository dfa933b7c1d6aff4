"""Figures keep every figure they are given, in the right place."""

from __future__ import annotations

import pytest

from perf.report.figures import OURS, bars, colour, dots, lines, scatter


@pytest.mark.parametrize(
    ("label", "across"), [("short", False), ("a label that is much too long to stand beside others", True)]
)
def test_bars_lie_where_labels_are_long(label: str, across: bool) -> None:
    figure = bars([label], {"stowplan": [1.5], "stock": [None]}, "pods/s", reference=(1.0, "even"))
    length, place = ("x", "y") if across else ("y", "x")
    assert [(trace[place], trace[length]) for trace in figure["data"]] == [([label], [1.5]), ([label], [None])]
    assert figure["layout"][f"{length}axis"]["title"]["text"] == "pods/s"
    assert figure["layout"]["shapes"][0][f"{length}0"] == 1.0
    assert figure["layout"]["showlegend"]


def test_dots_show_every_sample_its_mean_and_what_others_published() -> None:
    figure = dots({"stowplan": [1.0, 3.0], "fgd": [2.0]}, "%", marks={"fgd": 2.5, "unknown": 9.0})
    assert [trace["x"] for trace in figure["data"]] == [[1.0, 3.0], [2.0], [2.0], [2.0], [2.5]]
    assert figure["data"][-1]["y"] == ["fgd"]


def test_lines_may_be_logarithmic_on_both_axes() -> None:
    layout = lines([1, 10], {"plan": [1.0, 10.0]}, ("nodes", "ms"), logarithmic=True)["layout"]
    assert (layout["xaxis"]["type"], layout["yaxis"]["type"]) == ("log", "log")


def test_the_diagonal_reaches_the_farthest_point() -> None:
    figure = scatter({"trace": [(0.1, 0.4, "a"), (0.2, 0.1, "b")]}, ("declared", "achieved"))
    assert (figure["layout"]["shapes"][0]["x1"], figure["layout"]["shapes"][0]["y1"]) == (0.4, 0.4)


def test_ours_has_the_accent_and_baselines_keep_their_colour() -> None:
    assert colour("stowplan-moves") == OURS
    assert colour("fgd", 1) == colour("fgd", 5) != OURS
