"""The reflector against a fake API server over real sockets; only sleeping is faked."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from stowplan.kube.codec import ObjectKey, identify
from stowplan.kube.paths import PODS
from stowplan.kube.reflector import Reflector, Selection
from stowplan.kube.reflector_metrics import ReflectorMetrics
from tests.support.fake_api import FakeApi, pod, serving_api, status_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import msgspec


class Store:
    """A handler that keeps resource versions by name."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.replaced = 0

    def replace(self, items: Sequence[tuple[ObjectKey, str]]) -> None:
        """Everything anew."""
        self.held = {key.name: version for key, version in items}
        self.replaced += 1

    def upsert(self, item: tuple[ObjectKey, str]) -> None:
        """Keep one."""
        self.held[item[0].name] = item[1]

    def delete(self, key: ObjectKey) -> None:
        """Forget one."""
        self.held.pop(key.name, None)


class Rig:
    """A running reflector, its store, and the waits it asked for."""

    def __init__(self, fake: FakeApi, store: Store) -> None:
        self.fake = fake
        self.store = store
        self.waits: list[float] = []
        self.registry = CollectorRegistry()
        self.reflector: Reflector[tuple[ObjectKey, str]]

    async def sleep(self, seconds: float) -> None:
        """Note the wait instead of waiting."""
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def count(self, name: str, **labels: str) -> float:
        """A sample of the reflector's metrics."""
        return self.registry.get_sample_value(f"stowplan_reflector_{name}", {"resource": "pods", **labels}) or 0

    def truth(self) -> dict[str, str]:
        """What the server holds."""
        return {name: item["metadata"]["resourceVersion"] for (_, name), item in self.fake.objects.items()}

    async def converged(self) -> None:
        """Wait until the store equals the server."""
        await until(lambda: self.store.held == self.truth())

    async def watching(self, times: int) -> None:
        """Wait until a watch was opened this many times."""
        await until(lambda: len(self.fake.watches()) >= times)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - conditions of four parties, none of which signals
            await asyncio.sleep(0.002)


def keep(raw: msgspec.Raw) -> tuple[ObjectKey, str] | None:
    return identify(raw)


@asynccontextmanager
async def running(
    fake: FakeApi,
    project: Callable[[msgspec.Raw], tuple[ObjectKey, str] | None] = keep,
    store: Store | None = None,
    selection: Selection | None = None,
) -> AsyncIterator[Rig]:
    rig = Rig(fake, store or Store())
    async with serving_api(fake) as api:
        rig.reflector = Reflector(
            api,
            PODS,
            project,
            rig.store,
            selection=selection or Selection(),
            metrics=ReflectorMetrics(rig.registry),
            page=2,
            sleep=rig.sleep,
            uniform=lambda: 0.5,
        )
        task = asyncio.create_task(rig.reflector.run())
        try:
            yield rig
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def cluster(*names: str) -> FakeApi:
    fake = FakeApi()
    for name in names:
        fake.put(pod(name))
    return fake


class PagedStore(Store):
    """The same, taking lists object by object."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: list[list[str]] = []
        self.ended = 0

    def begin_list(self) -> None:
        """A list of its own."""
        self.lists.append([])

    def add_listed(self, item: tuple[ObjectKey, str]) -> None:
        """Known from now on."""
        self.lists[-1].append(item[0].name)
        self.upsert(item)

    def end_list(self) -> None:
        """Forget all others."""
        self.held = {name: version for name, version in self.held.items() if name in self.lists[-1]}
        self.ended += 1


async def test_a_store_that_wants_pages_gets_each_object_and_then_the_end() -> None:
    fake, store = cluster("a", "b", "c"), PagedStore()
    async with running(fake, store=store) as rig:
        await rig.watching(1)
        fake.put(pod("d"))
        await rig.converged()

        assert store.lists == [["a", "b", "c"]]
        assert (store.ended, store.replaced) == (1, 0)
        assert rig.reflector.synced

        fake.list_failures.append(partial(_first_page_then_compact, fake))
        fake.list_failures.append(lambda _: status_response(410, "Expired"))
        fake.compact()
        fake.error_event(410, "Expired")  # forces a list
        await rig.watching(2)

        # The second list breaks off after a page of two, one of which is gone then; the third is complete.
        assert store.lists[1:] == [["a", "b"], ["b", "c", "d"]]
        assert store.ended == 2
        assert store.held == rig.truth()


async def test_lists_page_by_page_and_then_watches_from_the_lists_version() -> None:
    async with running(cluster("a", "b", "c", "d", "e")) as rig:
        await rig.watching(1)

        assert rig.store.held == rig.truth()
        assert rig.store.replaced == 1
        # Five objects by two are three pages; versions 101..105 were given to the five puts.
        assert ["continue" in query for query in rig.fake.lists()] == [False, True, True]
        assert rig.fake.watches()[0]["resourceVersion"] == "105"
        assert rig.fake.watches()[0]["allowWatchBookmarks"] == "true"
        assert rig.fake.watches()[0]["timeoutSeconds"] == "450"  # 300 * (1 + 0.5)
        assert rig.reflector.synced
        assert rig.count("synced") == 1
        assert 0 <= rig.reflector.lag_seconds < 20


async def test_follows_additions_changes_and_deletions() -> None:
    async with running(cluster("a", "b")) as rig:
        await rig.watching(1)
        rig.fake.put(pod("c"))
        rig.fake.put(pod("a"))
        rig.fake.remove("b")

        await rig.converged()

        assert set(rig.store.held) == {"a", "c"}
        assert rig.store.replaced == 1
        assert rig.count("events_total", type="DELETED") == 1


async def test_selectors_and_namespace_reach_both_requests() -> None:
    chosen = Selection(namespace="shop", label_selector="app=web", field_selector="spec.nodeName!=")
    async with running(cluster(), selection=chosen) as rig:
        await rig.watching(1)

        assert {path for path, _ in rig.fake.requests} == {"/api/v1/namespaces/shop/pods"}
        assert {query["labelSelector"] for _, query in rig.fake.requests} == {"app=web"}
        assert {query["fieldSelector"] for _, query in rig.fake.requests} == {"spec.nodeName!="}


async def test_a_clean_close_resumes_from_the_last_bookmark() -> None:
    async with running(cluster("a")) as rig:
        await rig.watching(1)
        rig.fake.bookmark()  # version 102
        await until(lambda: rig.count("events_total", type="BOOKMARK") == 1)
        rig.fake.hang_up()
        await rig.watching(2)

        assert rig.fake.watches()[1]["resourceVersion"] == "102"
        assert len(rig.fake.lists()) == 1
        assert rig.waits == []


async def test_gone_during_pagination_starts_the_list_again() -> None:
    fake = cluster("a", "b", "c")
    async with running(fake) as rig:
        await rig.watching(1)
        fake.list_failures.append(lambda _: status_response(410, "Expired"))
        fake.list_failures.appendleft(partial(_first_page_then_compact, fake))
        fake.compact()
        fake.put(pod("d"))
        fake.error_event(410, "Expired")  # forces a list
        await rig.watching(2)

        assert rig.store.held == rig.truth()
        # First list: two pages. Second: a page, then Gone. Third: two pages (b, c; d).
        assert ["continue" in query for query in fake.lists()] == [False, True, False, True, False, True]


def _first_page_then_compact(fake: FakeApi, _: web.Request) -> web.Response:
    page = fake._page(2, None)
    fake.remove("a")  # on the page already, and not to be in the store: no watch will tell of it
    fake.compact()
    return page


async def test_gone_as_an_event_lists_again_and_finds_what_vanished() -> None:
    async with running(cluster("a", "b")) as rig:
        await rig.watching(1)
        rig.fake.watch_failures.append(lambda _: status_response(500, "InternalError"))
        rig.fake.hang_up()
        rig.fake.remove("a")
        rig.fake.compact()  # the deletion of a is in no history any more
        await rig.converged()

        assert set(rig.store.held) == {"b"}
        assert rig.store.replaced == 2


async def test_gone_as_http_status_lists_again_without_a_wait() -> None:
    async with running(cluster("a")) as rig:
        await rig.watching(1)
        rig.fake.watch_failures.append(lambda _: status_response(410, "Gone"))
        # The first watch got an event, so this is the first failure in a row.
        rig.fake.bookmark()
        await until(lambda: rig.count("events_total", type="BOOKMARK") == 1)
        rig.fake.hang_up()
        await rig.watching(3)

        assert rig.store.replaced == 2
        assert rig.count("errors_total", error="Gone") == 1


async def test_failing_lists_back_off_and_recover() -> None:
    fake = cluster("a")
    fake.list_failures.extend([lambda _: status_response(500, "InternalError")] * 3)
    async with running(fake) as rig:
        await rig.watching(1)

        # Ceilings 0.2 * 2^n = 0.4, 0.8, 1.6; half way between 0.1 and each, as the jitter is 0.5.
        assert rig.waits == pytest.approx([0.25, 0.45, 0.85])
        assert rig.store.held == rig.truth()


async def test_retry_after_is_respected() -> None:
    fake = cluster("a")
    fake.list_failures.append(lambda _: status_response(429, "TooManyRequests", {"Retry-After": "7"}))
    async with running(fake) as rig:
        await rig.watching(1)

        assert rig.waits == [7.0]


async def test_other_error_events_resume_at_the_same_version() -> None:
    async with running(cluster("a")) as rig:
        await rig.watching(1)
        rig.fake.error_event(500, "InternalError")
        await rig.watching(2)

        assert [query["resourceVersion"] for query in rig.fake.watches()] == ["101", "101"]
        assert rig.store.replaced == 1
        assert rig.waits == pytest.approx([0.25])


async def test_a_proxys_page_instead_of_a_list_is_an_error_and_is_retried() -> None:
    fake = cluster("a")
    fake.list_failures.append(lambda _: web.Response(text="<html>sign in</html>"))
    async with running(fake) as rig:
        await rig.converged()

        assert rig.count("errors_total", error="BrokenStream") == 1


async def test_an_object_that_cannot_be_projected_is_left_out_and_counted() -> None:
    def refuse_odd(raw: msgspec.Raw) -> tuple[ObjectKey, str] | None:
        kept = identify(raw)
        if kept[0].name == "odd":
            raise ValueError("no such pod")
        return None if kept[0].name == "dull" else kept

    async with running(cluster("a", "odd", "dull"), refuse_odd) as rig:
        await rig.watching(1)
        assert set(rig.store.held) == {"a"}
        rig.fake.put(pod("odd"))
        rig.fake.put(pod("b"))
        await until(lambda: "b" in rig.store.held)

        assert set(rig.store.held) == {"a", "b"}
        assert rig.count("dropped_total") == 2  # once listed, once watched
        assert rig.count("errors_total", error="BrokenStream") == 0


async def test_a_handler_that_fails_once_gets_a_full_list() -> None:
    class Clumsy(Store):
        def upsert(self, item: tuple[ObjectKey, str]) -> None:
            if item[0].name == "b" and self.replaced == 1:
                raise RuntimeError("slipped")
            super().upsert(item)

    async with running(cluster("a"), store=Clumsy()) as rig:
        await rig.watching(1)
        rig.fake.put(pod("b"))
        await rig.watching(2)

        assert rig.store.held == rig.truth()
        assert rig.store.replaced == 2


async def test_an_object_larger_than_any_read_buffer_arrives() -> None:
    async with running(cluster("a")) as rig:
        await rig.watching(1)
        rig.fake.put(pod("big", padding="x" * 3_000_000))

        await rig.converged()

        assert "big" in rig.store.held


ACTIONS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcdef")),
    st.tuples(st.just("remove"), st.sampled_from("abcdef")),
    st.tuples(
        st.sampled_from(["bookmark", "compact", "hang_up", "breathe", "gone", "broken", "no_list", "no_watch"]),
        st.just(""),
    ),
)


def act(fake: FakeApi, action: str, name: str) -> None:
    """One thing that happens to a cluster."""
    doings: dict[str, Callable[[], None]] = {
        "put": lambda: fake.put(pod(name)),
        "remove": lambda: fake.remove(name) if ("default", name) in fake.objects else None,
        "bookmark": fake.bookmark,
        "compact": fake.compact,
        "hang_up": fake.hang_up,
        "gone": lambda: fake.error_event(410, "Expired"),
        "broken": lambda: fake.error_event(500, "InternalError"),
        "no_list": lambda: fake.list_failures.append(lambda _: status_response(503, "ServiceUnavailable")),
        "no_watch": lambda: fake.watch_failures.append(lambda _: status_response(410, "Gone")),
    }
    doings[action]()


@given(st.lists(ACTIONS, max_size=25))
def test_whatever_happens_the_store_ends_equal_to_the_server(actions: list[tuple[str, str]]) -> None:
    async def story() -> None:
        fake = cluster("a", "b", "c")
        async with running(fake) as rig:
            for action, name in actions:
                if action == "breathe":
                    await asyncio.sleep(0.005)
                else:
                    act(fake, action, name)
            await rig.converged()

    asyncio.run(story())
