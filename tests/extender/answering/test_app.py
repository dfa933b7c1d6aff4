"""The HTTP face, through a real server and client."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession

from extender.answering.app import MAX_BODY_BYTES, ExtenderApp
from extender.cluster.cache import Cache
from extender.deciding.outcomes import Outcome
from extender.lifetimes.node_curves import NodeCurves
from extender.lifetimes.node_values import NodeValues
from extender.lifetimes.survival import BINS, Expectations
from extender.metrics import ExtenderMetrics
from stowplan.serving.direct import Call
from tests.support.direct import serving_directly
from tests.support.extender import Clock, decider, info, node, pod, signature

GOLDEN = Path(__file__).parents[2] / "golden" / "extender"


@pytest.fixture
async def client() -> Any:
    cache = Cache()
    cache.upsert_node(node("n1"))
    cache.upsert_node(node("n2"))
    cache.upsert_node(node("n3"))
    cache.upsert_pod(pod("u0", signature("other"), "n2"))
    cache.upsert_pod(pod("u1"))
    metrics = ExtenderMetrics(Clock())
    app = ExtenderApp(decider(cache=cache, metrics=metrics), cache, metrics)
    async with (
        serving_directly(app, MAX_BODY_BYTES) as port,
        ClientSession(f"http://127.0.0.1:{port}") as running,
    ):
        yield running


async def post(client: Any, verb: str, name: str) -> tuple[int, bytes]:
    answer = await client.post(f"/{verb}", data=(GOLDEN / name).read_bytes())
    return answer.status, await answer.read()


async def test_filter_narrows_to_the_node_in_use(client: Any) -> None:
    assert await post(client, "filter", "args-names.json") == (200, (GOLDEN / "filter-names.json").read_bytes().strip())


async def test_filter_answers_a_scheduler_that_sends_nodes(client: Any) -> None:
    assert await post(client, "filter", "args-nodes.json") == (200, (GOLDEN / "filter-nodes.json").read_bytes().strip())


async def test_prioritize_scores_the_few_best(client: Any) -> None:
    # greedy scores are 8, 6, 4 ...; n2 is in use, the others are alike and keep their order
    expected = b'[{"Host":"n2","Score":8},{"Host":"n1","Score":6},{"Host":"n3","Score":4}]'

    assert await post(client, "prioritize", "args-names.json") == (200, expected)


@pytest.mark.parametrize("verb", ["filter", "prioritize"])
async def test_what_cannot_be_answered_is_a_failure_not_a_veto(client: Any, verb: str) -> None:
    answer = await client.post(f"/{verb}", data=b"{}")

    assert answer.status == 400
    assert "NodeNames" in await answer.text()


async def test_a_body_of_fifteen_thousand_long_names_is_taken(client: Any) -> None:
    names = ",".join(f'"{i:0253d}"' for i in range(15_000))
    body = f'{{"Pod": {{}}, "NodeNames": [{names}]}}'

    answer = await client.post("/filter", data=BytesIO(body.encode()))

    assert answer.status == 200
    assert len((await answer.json())["NodeNames"]) == 15_000


async def test_a_body_beyond_the_bound_is_refused(client: Any) -> None:
    answer = await client.post("/filter", data=BytesIO(b" " * (MAX_BODY_BYTES + 1)))

    assert answer.status == 413


async def test_explanations_by_uid_and_by_name(client: Any) -> None:
    await post(client, "filter", "args-names.json")

    by_uid = await (await client.get("/explain?uid=u1")).json()
    by_name = await (await client.get("/explain/shop/web-1")).json()

    assert by_uid == by_name
    assert by_uid["outcome"] == "greedy"
    assert by_uid["why"] == (
        "shop/web-1 was sent to n2 (0.1920 $/h, already in use) by expected cost, as no planned slot was open; "
        "next best of 3 nodes: n1 (0.1920 $/h, empty), n3 (0.1920 $/h, empty)."
    )


async def test_an_unknown_pod_has_no_explanation(client: Any) -> None:
    assert (await client.get("/explain/shop/nobody")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/filter", 405),
        ("POST", "/plan", 405),
        ("POST", "/lifetimes", 405),
        ("POST", "/explain/shop/web-1", 405),
        ("GET", "/", 404),
    ],
)
async def test_other_methods_and_paths_are_refused(client: Any, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)

    assert answer.status == status
    assert path in await answer.text() or status == 404


async def test_the_plan_in_short(client: Any) -> None:
    plan = await (await client.get("/plan")).json()

    assert (plan["source"], plan["placed"], plan["unplaced"]) == ("greedy", 0, [])


async def test_lifetimes_are_none_while_nothing_was_learned(client: Any) -> None:
    assert await (await client.get("/lifetimes")).json() == {"schema_version": 1, "seconds_left": None}


@pytest.mark.parametrize("trouble", [None, Outcome.LAGGING])
def test_lifetimes_of_all_nodes_are_told_unless_the_cluster_cannot_be_trusted(trouble: Outcome | None) -> None:
    cache = Cache()
    cache.upsert_node(node("n1"))
    cache.upsert_node(node("n2"))
    cache.upsert_pod(pod("u0", signature("other"), "n2"))
    expectations = Expectations({(): 0}, np.full((1, BINS), 1 / 3600))
    curves = NodeCurves()
    curves.load(np.array([0]), [None], lambda _: expectations.curve(())[None])
    values = NodeValues(10**6, {"n2": 0}, curves, expectations)
    metrics = ExtenderMetrics(Clock())
    app = ExtenderApp(
        decider(cache=cache, metrics=metrics, values=lambda: values, trouble=lambda: trouble), cache, metrics
    )

    answer = json.loads(app(Call("GET", "/lifetimes", b"")).body)["seconds_left"]

    # An hour on average, as the bins of time have it.
    expected = {"n1": 0.0, "n2": pytest.approx(3600, rel=0.05)}
    assert answer == (None if trouble else expected)


def test_builders_agree() -> None:
    assert info(node("n1"), {signature(): 2}).used["pods"] == 2
