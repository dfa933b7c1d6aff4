"""`stowplan moves` without a cluster: what the report says. The command itself runs in tests/integration."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from extender.moves.consolidation import Drain, Move, Proposal
from extender.moves.eviction import Evicted, Outcome
from stowplan.cli.main import app
from stowplan.cli.moves import as_json
from tests.support.extender import pod

A = pod("a", node="n1")
PROPOSAL = Proposal((Drain("n1", 192_000, (Move(A, "n1", "n2"),), 7200.0),), (("idle", 50_000),), {"n3": "local data"})


def test_the_report_as_json() -> None:
    assert as_json(PROPOSAL, [("n1", False, [Evicted(A, Outcome.REFUSED, "budget")])]) == {
        "schema_version": 1,
        "saved_per_hour": 0.192,
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
