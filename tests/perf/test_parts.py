"""Sections are made from what the parts write; derived figures are what they say."""

from __future__ import annotations

from perf.parts.backlogs import growth, least
from perf.parts.throughput import PART as THROUGHPUT
from perf.parts.throughput import by_arm


def row(arm: str, baseline: str, placed: int, in_use: float) -> dict[str, object]:
    return {
        "arm": arm,
        "baseline": baseline,
        "rounds": 3,
        "nodes": 500,
        "pods": 400,
        "placed": placed,
        "pods_per_second": 100.0,
        "ratio": None if arm == baseline else 0.98,
        "ratio_least": None if arm == baseline else 0.95,
        "overall_per_second": 80.0,
        "overall_ratio": None if arm == baseline else 0.9,
        "wait_p50_ms": 10.0,
        "wait_p99_ms": 20.0,
        "opened_dollars": 1.0,
        "in_use_dollars": in_use,
        "cpu_us_per_pod": {"scheduler": 1000, "extender": 500},
    }


def test_growth_is_relative_to_the_nodes() -> None:
    # Four times the time on ten times the nodes.
    assert growth([{"nodes": 500, "ms": 10}, {"nodes": 5000, "ms": 40}], "ms") == 0.4
    assert (
        growth([{"nodes": 1, "ms": 0}, {"nodes": 2, "ms": 4}], "ms") == 2.0
    )  # below the clock's resolution counts as 1


def test_of_repeats_the_least_counts_figure_by_figure() -> None:
    repeats = [[{"nodes": 500, "ms": 12, "cpu": 9}], [{"nodes": 500, "ms": 10, "cpu": 11}]]
    assert least(repeats) == [{"nodes": 500, "ms": 10, "cpu": 9}]


def test_an_arm_is_compared_with_its_baseline_and_with_every_node() -> None:
    arms = by_arm(
        [
            row("stock", "stock", 400, 50.0),
            row("narrow", "stock", 398, 41.0),
            row("narrow-all", "stock-all", 400, 40.0),
            row("stock-all", "stock-all", 399, 52.0),
        ]
    )
    assert arms["narrow"]["unplaced_beyond_baseline"] == 2
    assert arms["narrow-all"]["unplaced_beyond_baseline"] == 0  # placed one more than its baseline
    assert arms["narrow"]["cost_over_every_node"] == 1.025
    assert arms["narrow"]["cost_over_baseline"] == 0.82  # 41 over 50
    assert "cost_over_every_node" not in arms["narrow-all"]


def test_the_section_of_throughput_shows_every_arm_of_every_size() -> None:
    found = by_arm([row("stock", "stock", 400, 50.0), row("narrow", "stock", 398, 41.0)])
    section = THROUGHPUT.section({"sizes": {"500": found, "5000": found}})
    assert [cells[0] for cells in section.tables[0].rows] == [
        "500 / stock",
        "500 / narrow",
        "5000 / stock",
        "5000 / narrow",
    ]
    assert section.tables[0].rows[1][1:5] == ("398 of 400", "100", "0.98", "0.95")
    ratios = section.plots[0].figure
    assert [trace["name"] for trace in ratios["data"]] == ["narrow"]


def test_channels_are_a_table_where_they_were_measured() -> None:
    found = by_arm([row("stock", "stock", 400, 50.0), row("gates", "stock", 398, 41.0)])

    section = THROUGHPUT.section({"sizes": {"500": found}, "channels": {"500/60": found}})

    assert section.tables[1].rows[1] == ("500/60 / gates", "398 of 400", "80", "0.90", "10", "20", "1.00", "41.00")
    pace, price = section.plots[2:]
    assert [(trace["name"], trace["x"], trace["y"]) for trace in pace.figure["data"]] == [
        ("gates", ["500 nodes, 60 pods"], [0.9])
    ]
    assert price.figure["data"][0]["y"] == [0.82]  # 41 over 50
    assert len(THROUGHPUT.section({"sizes": {"500": found}, "channels": {}}).tables) == 1
    assert len(THROUGHPUT.section({"sizes": {"500": found}}).tables) == 1
