"""The machine-readable contract, the table, the headline and the report."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from demo.caveats import caveats
from demo.headline import headline, saving
from demo.report import report_html
from demo.result import DemoResult, Story, Unplaced, to_json, write_atomically
from demo.terminal import show
from tests.support.demo import demo_result, run_result

STORY = Story("web-1", "standard", "n1", "standard: <kept>", "sent to n1", {"outcome": "planned", "note": "</script>"})
CONTRACT = {
    "pods",
    "placed",
    "unplaced",
    "nodes_used",
    "cost_per_hour",
    "pods_per_second",
    "webhook_ms",
    "extender_ms",
}


@pytest.fixture
def result() -> DemoResult:
    unplaced = (Unplaced("big", "elastic", 1, "0/3 nodes are available"),)
    return demo_result(
        {
            "stock": run_result(20.0),
            "most-allocated": run_result(10.0, unplaced),
            "stowplan": run_result(8.0, story=STORY),
        }
    )


def test_the_contract_s_keys_are_there_for_every_run(result: DemoResult) -> None:
    document = json.loads(to_json(result))

    assert document["schema_version"] == 1
    assert {"stock", "stowplan"} <= document["runs"].keys()
    for run in document["runs"].values():
        assert run.keys() >= CONTRACT
    assert document["runs"]["stowplan"]["webhook_ms"] == {"p50": 0.8, "p99": 3.0}
    assert document["runs"]["stock"]["webhook_ms"] == {"p50": None, "p99": None}


def test_the_headline_names_every_baseline(result: DemoResult) -> None:
    # 8 against 20 is 60 % less, against 10 it is 20 % less.
    sentence = headline(result)

    assert "60% cheaper than the stock scheduler ($20.00/h)" in sentence
    assert "20% cheaper than a stock scheduler set to pack ($10.00/h)" in sentence


@pytest.mark.parametrize(
    ("ours", "words"), [(12.5, "25% dearer than"), (10.0, "no cheaper and no dearer than"), (9.98, "no cheaper")]
)
def test_the_headline_does_not_flatter(ours: float, words: str) -> None:
    assert words in headline(demo_result({"stock": run_result(10.0), "stowplan": run_result(ours)}))


def test_without_a_comparison_the_headline_says_so() -> None:
    assert "nothing to compare with" in headline(demo_result({"stock": run_result()}))
    assert saving(run_result(1.0), run_result(0.0)) == 0.0


def test_the_terminal_shows_numbers_reasons_and_story(result: DemoResult) -> None:
    text = StringIO()
    show(result, Console(file=text, width=160))

    for expected in ("4 of 4", "3 of 4", "0.8 / 3.0", "0/3 nodes are available", "standard: <kept>", "sent to n1"):
        assert expected in text.getvalue()


def test_an_unexplained_pod_is_shown_as_such() -> None:
    text = StringIO()
    show(demo_result({"stock": run_result(unplaced=(Unplaced("w", "batch", 1, ""),))}), Console(file=text, width=160))

    assert "NO REASON KNOWN" in text.getvalue()


def test_the_report_is_one_file_that_fetches_nothing(result: DemoResult) -> None:
    page = report_html(result)
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # Plotly and our script, inlined

    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?://""", own)
    assert page.count("plotly.js v") == 1


def test_the_report_escapes_what_comes_from_outside(result: DemoResult) -> None:
    page = report_html(result)

    assert "standard: &lt;kept&gt;" in page
    assert "standard: <kept>" not in page
    assert "&quot;note&quot;: &quot;&lt;/script&gt;&quot;" in page


def test_the_report_s_figures_are_complete_json(result: DemoResult) -> None:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', report_html(result), re.DOTALL)

    assert found is not None
    figures = json.loads(found[1])
    assert figures.keys() == {"cost", "nodes", "fill-stock", "fill-most-allocated", "fill-stowplan"}
    assert [trace["name"] for trace in figures["nodes"]["data"]] == ["stock", "most-allocated", "stowplan"]
    up, down = figures["fill-stock"]["data"]
    assert (up["y"], down["y"]) == ([90.0], [-50.0])


def test_the_report_admits_what_spoils_a_run(result: DemoResult) -> None:
    assert not any("busy" in text for text in caveats(result))
    runs = {"stock": run_result()}
    assert "most-allocated" in caveats(demo_result(runs))[0]
    assert any("placed by stowplan-scheduler" in text for text in caveats(result))  # its pods say default-scheduler


def test_files_are_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.json"
    write_atomically(target, "old")
    write_atomically(target, "new")

    assert target.read_text(encoding="utf-8") == "new"
    assert [entry.name for entry in target.parent.iterdir()] == ["result.json"]
