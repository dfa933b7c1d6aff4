"""`stowplan why-node` against an extender that serves in the same process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from extender.answering.app import MAX_BODY_BYTES, ExtenderApp
from extender.cluster.cache import Cache
from extender.deciding.offered import ExtenderArgs
from extender.metrics import ExtenderMetrics
from stowplan.cli.main import app
from stowplan.cli.why_node import options_table
from stowplan.kube.projection import project_pod
from tests.extender.deciding.test_decider import ask, body
from tests.support.direct import serving_directly
from tests.support.extender import Clock, decider, info, node, signature

NODES = (
    info(node("busy"), {signature("other"): 1}),
    info(node("packed"), {signature("other"): 4}),
    info(node("empty")),
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """An extender that has decided about shop/web-1."""
    cache = Cache()
    for there in NODES:
        cache.upsert_node(there.node)
        for number in range(sum(there.residents.values())):
            raw = json.loads(body(f"{there.node.name}-{number}", f"other-{there.node.name}-{number}"))
            raw["spec"]["nodeName"] = there.node.name
            cache.upsert_pod(project_pod(json.dumps(raw).encode()))
    cache.upsert_pod(project_pod(body()))
    ours = decider(cache=cache)
    args: ExtenderArgs = ask("u1", ["busy", "packed", "empty"])
    assert ours.filter(args) == ["busy"]
    started: list[str] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with serving_directly(ExtenderApp(ours, cache, ExtenderMetrics(Clock())), MAX_BODY_BYTES) as port:
            started.append(f"http://127.0.0.1:{port}")
            ready.set()
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    yield started[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["why-node", *arguments])


def test_people_get_the_sentence_the_plan_and_a_table(address: str) -> None:
    result = run("web-1", "-n", "shop", "--extender", address, "--node", "packed")

    assert result.exit_code == 0, result.output
    assert "shop/web-1 was sent to busy" in result.stdout
    assert "plan 0 (greedy): cost 0.0000 $/h, bound 0.0000 $/h, gap 0.0 %" in result.stdout
    assert "in use longer, s" in result.stdout
    assert "why not packed: cpu: asks 1, 4 used of 4, 0 available" in result.stdout
    assert [line.split() for line in result.stdout.splitlines()][-1] == ["cpu", "1", "4", "0"]


def test_scripts_get_json(address: str) -> None:
    answer = json.loads(run("shop/web-1", "--extender", address, "--node", "empty", "-o", "json").stdout)

    assert answer["node"] == "busy"
    assert answer["options"][0]["node"] == "busy"
    # two cores of four and 2 of 16 GiB used: 1/2 and 7/8 stay free, 25/32 of half an hour at 0.192 $/h
    assert answer["options"][0]["expected_cost"] == pytest.approx(0.075)
    assert answer["plan"].keys() == {
        "generation", "source", "cost_per_hour", "bound_per_hour", "gap_percent", "solve_ms"
    }  # fmt: skip
    assert answer["why_not"]["reason"] == "Fits"


def test_without_a_node_nothing_is_said_of_others(address: str) -> None:
    assert "why_not" not in json.loads(run("shop/web-1", "--extender", address, "-o", "json").stdout)


def test_a_pod_that_nobody_asked_about(address: str) -> None:
    result = run("nobody", "--extender", address)

    assert result.exit_code == 1
    assert "no decision about this pod is remembered" in result.stderr


@pytest.mark.parametrize("path", ["", "/nonsense"])
def test_what_is_no_extender_is_named_with_a_remedy(address: str, path: str) -> None:
    url = f"{address}{path}" if path else "http://127.0.0.1:1"

    result = run("web-1", "--extender", url)

    assert result.exit_code == 2
    assert "--extender" in result.stderr or "is that the extender's port?" in result.stderr


def test_gpus_are_a_column_where_they_were_weighed() -> None:
    option = {
        "node": "n1",
        "planned": False,
        "occupied": True,
        "price_per_hour": 1.0,
        "seconds_added": 0.0,
        "expected_cost": None,
        "latency": {},
    }
    weighed, plain = ({**option, "gpus_made_unusable": gpus} for gpus in (0.4126, None))

    assert [column.header for column in options_table([weighed]).columns][-1] == "GPUs made unusable"
    assert list(options_table([weighed]).columns[-1].cells) == ["0.41"]
    # an extender of an older version does not say
    assert [column.header for column in options_table([plain, option]).columns][-1] == "latency"
