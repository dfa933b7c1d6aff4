"""The report: everything is on it, escaped, and nothing is fetched."""

from __future__ import annotations

import json
import re

from perf.gates import judge
from perf.history import Entry
from perf.part import Profile
from perf.report.page import report_html
from perf.report.trends import trend_section, trends
from tests.support.perf import gate, result, section


def entries(values: list[float]) -> list[Entry]:
    return [
        Entry(f"2026-11-{day:02d}T00:00:00Z", f"c{day}", Profile.SHORT, "cost", value, (value,), 1.2, "passed", "A CPU")
        for day, value in enumerate(values, start=1)
    ]


def page(cost: float) -> str:
    results = {"packing": result({"cost": cost}), "sizing": result(None, "sizing", error="OSError: no <disk>")}
    gates = [gate(target=1.0), gate("other", part="never")]
    return report_html(
        results,
        {"packing": section({"cost": cost})},
        judge(gates, results, Profile.SHORT),
        trends(gates, entries([1.0, 1.1, cost]), Profile.SHORT),
        Profile.SHORT,
    )


def test_a_broken_gate_is_the_headline_and_says_how_to_see_more() -> None:
    html = page(1.5)
    assert "<h1>1 of 1 gates are broken</h1>" in html
    assert "must be at most 1.2 (worse by 0.3" in html
    assert "<code>make perf-short PERF=&#x27;--parts packing&#x27;</code>" in html
    assert "1 more gates do not apply" in html


def test_sections_figures_and_errors_are_escaped() -> None:
    html = page(1.1)
    assert "Packing &amp; co" in html
    assert "Cost &lt;here&gt;." in html
    assert "OSError: no &lt;disk&gt;" in html
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    figures = json.loads(found.group(1))
    assert figures["packing-0"]["data"][0]["x"] == ["</script>"]
    assert all(f'id="{name}"' in html for name in figures)


def test_nothing_is_fetched() -> None:
    html = page(1.1)
    without_plotly = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"(src|href)=\"(?!#)", without_plotly)
    assert "@import" not in html[: html.index("</style>")]


def test_without_broken_gates_the_headline_says_so() -> None:
    results = {"packing": result({"cost": 1.1})}
    html = report_html(results, {}, judge([gate()], results, Profile.SHORT), [], Profile.SHORT)
    assert "<h1>Nothing got worse</h1>" in html
    assert "1/1" in html
    nothing = report_html(results, {}, judge([gate(bounds={})], results, Profile.SHORT), [], Profile.SHORT)
    assert "no gate applies" in nothing


def test_a_change_of_level_is_told_with_its_commit_and_side() -> None:
    (trend,) = trends([gate()], entries([1.0] * 6 + [1.3] * 6), Profile.SHORT)
    told = trend_section([trend])
    assert told.tables[0].rows == [("cost", "c7", "2026-11-07T00:00:00Z", "1", "1.3", "+30.0%", "worse")]
    (better,) = trends([gate()], entries([1.3] * 6 + [1.0] * 6), Profile.SHORT)
    assert trend_section([better]).tables[0].rows[0][-1] == "better"


def test_without_a_change_it_says_so() -> None:
    (trend,) = trends([gate(), gate("new")], entries([1.0, 1.1, 1.0]), Profile.SHORT)
    told = trend_section([trend])
    assert not told.tables
    assert told.notes == ("No level has changed.",)
