"""The command's choices."""

import pytest
import yaml

from demo.data.prepare import cut
from demo.environment import Variant
from demo.errors import DemoError
from demo.fresh import most_allocated
from demo.main import DEFAULT_RUNS, load_workloads, parse_runs
from demo.pods import PodRecord
from demo.story import candidates
from tests.support.demo import record


def test_runs_default_to_all_and_can_be_chosen() -> None:
    assert parse_runs("", None) == DEFAULT_RUNS
    assert parse_runs("stowplan, stock", None) == (Variant.STOWPLAN, Variant.STOCK)


@pytest.mark.parametrize(("text", "message"), [("stock,fast", "'fast' is no run"), ("stock,stock", "comes twice")])
def test_bad_runs_are_refused(text: str, message: str) -> None:
    with pytest.raises(DemoError, match=message):
        parse_runs(text, None)


def test_a_demo_needs_a_pod() -> None:
    assert sum(workload.replicas for workload in load_workloads(20)) <= 20
    with pytest.raises(DemoError, match="at least one"):
        load_workloads(0)


def test_the_packing_baseline_differs_from_stock_in_its_scoring_strategy_alone() -> None:
    stock = {"kind": "KubeSchedulerConfiguration", "leaderElection": {"leaderElect": False}}
    changed = yaml.safe_load(most_allocated(yaml.safe_dump(stock)))

    (profile,) = changed.pop("profiles")
    assert changed == stock
    (plugin,) = profile["pluginConfig"]
    assert profile["schedulerName"] == "default-scheduler"
    assert plugin["args"]["scoringStrategy"]["type"] == "MostAllocated"


def test_the_sample_keeps_rows_of_the_window_and_whole_batches() -> None:
    def row(batch: int, arrival: int, life: int, censored: str = "0") -> dict[str, str]:
        return {
            "batch": str(batch),
            "arrival_s": str(arrival),
            "censored": censored,
            "lifetime_lo_s": str(life),
            "lifetime_hi_s": str(life),
        }

    start, end = 1_924_200, 1_945_800
    rows = [
        row(356, start, 300),  # in the shipped sample, so its hash is chosen
        row(356, start - 600, 600),  # left as the window began
        row(356, start - 600, 600, "1"),  # outlived the trace
        row(356, end, 300),  # came after it
        row(356, start, 0),  # lived less than a bin
        row(357, start, 300),  # another batch, whose hash is not chosen
    ]
    kept = list(cut(rows))

    assert [rows.index(dict(found)) for found in kept] == [0, 2]


def test_the_story_prefers_services_that_stowplan_has_handled() -> None:
    def told(uid: str, workload_class: str, scheduler: str = "stowplan-scheduler", cpu: int = 1000) -> PodRecord:
        found = record(uid, bound=1.0)
        found.why, found.scheduler_name, found.workload_class, found.cpu_millicores = (
            "why",
            scheduler,
            workload_class,
            cpu,
        )
        return found

    records = [
        told("batch", "batch"),
        told("small", "standard"),
        told("large", "standard", cpu=4000),
        told("foreign", "standard", scheduler="default-scheduler"),
        record("unbound"),
    ]

    assert [found.uid for found in candidates(records)] == ["large", "small", "batch"]
