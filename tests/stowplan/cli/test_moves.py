"""`stowplan moves` without a cluster: what the report says. The command itself runs in tests/integration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from extender.moves.allowance import WatchedAllowance
from extender.moves.budgets import Budgets, DisruptionBudget
from extender.moves.consolidation import Drain, Move, Proposal
from extender.moves.emptying import Limits
from extender.moves.eviction import Evicted, Outcome
from extender.moves.reading import ClusterView
from stowplan.cli.main import app
from stowplan.cli.moves import Act, Acted, Asked, again_and_again, as_json, proposed
from stowplan.kube.errors import Unreachable
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.selectors import LabelSelector
from tests.support.extender import info, node, pod, signature, snapshot

A = pod("a", node="n1")
PROPOSAL = Proposal(
    (Drain("n1", 192_000, (Move(A, "n1", "n2"),), 7200.0),), (("idle", 50_000),), {"n3": "local data"}, True
)


def test_the_report_as_json() -> None:
    assert as_json(PROPOSAL, [("n1", False, [Evicted(A, Outcome.REFUSED, "budget")])]) == {
        "schema_version": 1,
        "saved_per_hour": 0.192,
        "lifetimes": "learned",
        "moves": 1,
        "drains": [
            {
                "node": "n1",
                "price_per_hour": 0.192,
                "seconds_left": 7200.0,
                "moves": [{"namespace": "shop", "pod": "pod-a", "from": "n1", "to": "n2"}],
            }
        ],
        "empty": [{"node": "idle", "price_per_hour": 0.05}],
        "kept": {"n3": "local data"},
        "acted": [
            {
                "node": "n1",
                "emptied": False,
                "evictions": [{"namespace": "shop", "pod": "pod-a", "outcome": "refused", "message": "budget"}],
            }
        ],
    }


def test_a_cluster_that_cannot_be_read_is_an_error_with_status_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["moves", "--kubeconfig", str(tmp_path / "absent")])

    assert result.exit_code == 2
    assert "absent" in result.output


def test_going_on_is_for_evictions_only() -> None:
    result = CliRunner().invoke(app, ["moves", "--every", "300"])

    assert result.exit_code == 2
    assert "--every 300 with --act nothing" in result.output


def test_an_extender_that_does_not_answer_is_an_error_with_status_2() -> None:
    result = CliRunner().invoke(app, ["moves", "--extender", "http://127.0.0.1:9"])

    assert result.exit_code == 2
    assert "http://127.0.0.1:9/lifetimes" in result.output


def view(allowed: int) -> ClusterView:
    """Five nodes with a pod each, all under one budget; two nodes of four cores are enough for them."""
    standing = [pod(f"u{i}", signature("web"), f"n{i}") for i in range(5)]
    nodes = [info(node(f"n{i}"), {signature("web"): 1}) for i in range(5)]
    budget = DisruptionBudget("shop", "web", LabelSelector(()), allowed)
    return ClusterView(snapshot(*nodes), tuple(standing), Budgets([budget]), BUILTIN_CLASSES)


def asked(wait_s: float = 0.0, **limits: int) -> Asked:
    return Asked(None, "", Limits(**limits), Act.EVICT, 5.0, wait_s)


def drains(allowed: int, wait_s: float = 0.0) -> int:
    return len(proposed(view(allowed), asked(wait_s), None, None).drains)


def test_with_a_wait_a_budget_of_one_is_enough_for_moves_one_after_the_other() -> None:
    assert drains(allowed=1) == 1
    assert drains(allowed=1, wait_s=60.0) == 3
    assert drains(allowed=0, wait_s=60.0) == 0


def test_rounds_share_one_move_for_every_ten_pods() -> None:
    allowance = WatchedAllowance()
    few = view(allowed=5)
    others = [f"v{i}" for i in range(15)]

    # Five pods allow none, twenty allow two.
    assert proposed(few, asked(), allowance, None).drains == ()
    allowance.look([*(one.uid for one in few.pods), *others])
    assert allowance.left == 2
    assert [len(drain.moves) for drain in proposed(few, asked(), allowance, None).drains] == [1, 1]
    assert [len(drain.moves) for drain in proposed(few, asked(moves=1), allowance, None).drains] == [1]


def test_furniture_and_pods_without_a_node_have_not_come() -> None:
    allowance = WatchedAllowance()
    seen = view(allowed=5)
    agents = tuple(pod(f"d{i}", signature(owner_key="DaemonSet/agent"), "n0") for i in range(20))
    waiting = tuple(pod(f"w{i}", signature()) for i in range(20))

    proposed(replace(seen, pods=seen.pods + agents + waiting), asked(), allowance, None)

    assert allowance.left == 0


class Stopped(Exception):  # noqa: N818 - ends a loop that has no other end
    """Three rounds are enough."""


async def test_a_round_that_fails_is_told_and_the_next_one_comes(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[WatchedAllowance] = []
    shown: list[Proposal] = []
    naps: list[float] = []

    async def make(allowance: WatchedAllowance) -> tuple[Proposal, list[Acted]]:
        seen.append(allowance)
        if len(seen) == 2:
            raise Unreachable("cut off")
        return PROPOSAL, []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        await again_and_again(make, lambda proposal, _: shown.append(proposal), 300.0, sleep)

    assert naps == [300.0] * 3
    assert len(shown) == 2
    assert "cut off; trying again in 300 s" in capsys.readouterr().err
    assert seen[0] is seen[2]  # what was moved before counts
