"""Labels that lie close together, and ticks that people read."""

from __future__ import annotations

from perf.report.labels import logarithmic_axis, placed_labels, shared_labels


def test_points_at_one_place_share_a_label_and_neighbours_stand_on_different_sides() -> None:
    points = {"a": (0.0, 0.0), "b": (0.01, 0.0), "c": (0.1, 0.0), "d": (1.0, 1.0)}
    # b lies within 2 % of a; c within a word's width of both; d is far away.
    assert placed_labels(points, logarithmic_x=False) == [
        ("a, b", "top right"),
        ("", "bottom right"),
        ("c", "bottom right"),
        ("d", "top right"),
    ]


def test_distances_are_those_of_the_figure_with_all_that_it_shows() -> None:
    points = {"a": (0.0, 0.0), "b": (1.0, 1.0)}
    assert [side for _, side in placed_labels(points, logarithmic_x=False)] == ["top right", "top right"]
    assert [side for _, side in placed_labels(points, [(10.0, 20.0)], logarithmic_x=False)] == [
        "top right",
        "bottom right",
    ]
    # On a logarithmic axis 1 and 10 are as far apart as 10 and 100, on a linear one a tenth of it: within a word's width.
    points = {"a": (1.0, 0.0), "b": (10.0, 0.0), "c": (100.0, 0.0)}
    assert [side for _, side in placed_labels(points, logarithmic_x=True)] == ["top right"] * 3
    assert placed_labels(points, logarithmic_x=False)[1] == ("b", "bottom right")


def test_a_long_label_on_the_right_half_stands_to_the_left() -> None:
    points = dict.fromkeys(("vpa", "critical", "standard", "elastic"), (1.0, 1.0))
    assert placed_labels(points, [(0.0, 0.0)], logarithmic_x=False)[0] == (
        "vpa, critical, standard, elastic",
        "top left",
    )
    assert placed_labels(points, [(2.0, 2.0), (0.9, 0.0)], logarithmic_x=False)[0][1] == "top right"


def test_a_label_of_several_series_stands_over_the_highest_point() -> None:
    points = {"one": [(1.0, 2.0, "dev"), (2.0, 5.0, "batch")], "two": [(1.0, 3.0, "dev"), (2.0, 5.0, "batch")]}
    assert shared_labels(points) == {"one": ["", "batch"], "two": ["dev", ""]}


def test_logarithmic_ticks_are_one_two_five_and_powers_alone_over_many_decades() -> None:
    assert logarithmic_axis([500, 1000, 2000])["ticktext"][:4] == ["100", "200", "500", "1,000"]
    assert logarithmic_axis([0.0001, 0.0, 1.0])["ticktext"] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert logarithmic_axis([0.0]) == {"type": "log"}
