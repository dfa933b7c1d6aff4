"""What is made of rounds of churn."""

from __future__ import annotations

from perf.churn.measure import Churn, compared, pod


def rounds(*waits: tuple[float, float], placed: int = 10) -> list[Churn]:
    return [Churn(10, placed, 20.0, p50, p99) for p50, p99 in waits]


def test_ratios_are_medians_over_pairs_of_rounds() -> None:
    found = compared(rounds((10, 100), (20, 100), (40, 100)), rounds((20, 100), (30, 150), (40, 300)))

    assert found["wait_p50_ratio"] == 1.5  # of 2, 1.5 and 1
    assert found["wait_p99_ratio"] == 1.5  # of 1, 1.5 and 3
    assert found["baseline"]["wait_p50_ms"] == 20


def test_pods_that_only_the_baseline_placed_are_counted_over_all_rounds() -> None:
    both = ((1.0, 2.0), (1.0, 2.0))

    assert compared(rounds(*both), rounds(*both, placed=7))["unplaced_beyond_baseline"] == 6  # 3 in each of two rounds
    assert compared(rounds(*both, placed=7), rounds(*both))["unplaced_beyond_baseline"] == 0


def test_both_arms_ask_for_the_same_but_one_by_the_webhook() -> None:
    plain, sized = pod(41, sized=False), pod(41, sized=True)

    assert plain["spec"]["containers"][0].pop("resources") == {
        "requests": {"cpu": "100m", "memory": "384Mi"}
    }  # size xs
    assert sized["metadata"]["labels"].pop("stowplan.dev/size") == "xs"
    assert sized["metadata"]["labels"].pop("stowplan.dev/class") == "dev"
    assert plain == sized
    assert plain["metadata"]["labels"] == {"app": "app-2"}  # twenty to a service
