"""The queries and the extra selector."""

import pytest

from recommender.sources.promql import Queries, SelectorError, check_selector


@pytest.mark.parametrize(
    "text",
    ["", 'cluster="a"', 'cluster="a",env!~"test|dev"', ' cluster = "a" , x=~".*" ', 'x="quoted \\" , }"', 'a="b",'],
)
def test_matchers_pass(text: str) -> None:
    assert check_selector(text) == text.strip().rstrip(",")


@pytest.mark.parametrize(
    "text", ["{a=1}", "a", 'a="b', "a='b'", 'a="b" c="d"', 'a="b"} or vector(1) or x{y="z"', 'a="b\n"', ",,"]
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(SelectorError, match="without braces"):
        check_selector(text)


def test_the_selector_is_part_of_every_query() -> None:
    queries = Queries('cluster="a"', ("bank", "shop"))
    every = [queries.cpu, queries.measured_at, queries.memory(300), queries.throttled, queries.periods, queries.started]
    assert all('namespace=~"bank|shop",cluster="a"}' in query for query in every)
    assert all('container!="",container!="POD"' in query for query in every)


def test_memory_is_asked_for_without_the_end_of_the_step_before() -> None:
    assert "[299999ms]" in Queries().memory(300)
