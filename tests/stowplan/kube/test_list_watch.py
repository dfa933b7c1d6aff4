"""The list-then-watch state machine alone: no I/O, no time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stowplan.kube.codec import ListMeta
from stowplan.kube.errors import KubeError, Unreachable, api_error
from stowplan.kube.list_watch import MAX_DELAY, MIN_DELAY, ListPage, ListWatch, Wait, Watch


def watching(version: str = "7") -> ListWatch:
    machine = ListWatch(lambda: 0.0)
    machine.page_received(ListMeta(version))
    return machine


def after_waits(machine: ListWatch) -> ListPage | Watch:
    step = machine.next_step()
    while isinstance(step, Wait):
        step = machine.next_step()
    return step


def test_refusals_at_one_version_end_in_a_new_list() -> None:
    # An etcd restored from a backup: "too large resource version" would be answered for ever.
    machine = watching()
    steps = []
    for _ in range(3):
        machine.failed(api_error(504, "Timeout", "Too large resource version"))
        steps.append(after_waits(machine))

    assert steps == [Watch("7"), Watch("7"), ListPage(None)]


def test_an_unreachable_server_is_no_reason_to_list_again() -> None:
    machine = watching()
    for _ in range(50):
        machine.failed(Unreachable("refused"))

    assert after_waits(machine) == Watch("7")


def test_a_working_list_does_not_hide_that_every_watch_is_gone() -> None:
    # list, watch Gone, list, watch Gone, ...: the first is free, every later one waits, longer and longer.
    machine = ListWatch(lambda: 0.5)
    waits = []
    for _ in range(4):
        machine.page_received(ListMeta("7"))
        machine.failed(api_error(410, "Expired", "too old"))
        step = machine.next_step()
        waits.append(step.seconds if isinstance(step, Wait) else 0.0)

    # 0.1 + 0.5 * (0.2 * 2^n - 0.1) for n = 2, 3, 4.
    assert [round(wait, 6) for wait in waits] == [0.0, 0.45, 0.85, 1.65]


def test_a_watch_closed_at_once_again_and_again_is_slowed_down() -> None:
    machine = watching()
    machine.watch_closed(0.01)
    assert machine.next_step() == Watch("7")
    machine.watch_closed(0.01)
    assert isinstance(machine.next_step(), Wait)


def test_a_watch_that_lasted_forgives_earlier_failures() -> None:
    machine = ListWatch(lambda: 1.0)
    machine.page_received(ListMeta("7"))
    for _ in range(10):
        machine.failed(Unreachable("refused"))
    machine.failed(Unreachable("reset"), seconds_open=600.0)

    step = machine.next_step()

    assert step == Wait(0.4)  # 0.2 * 2^1, the ceiling of a first failure


def test_an_event_forgives_earlier_failures() -> None:
    machine = ListWatch(lambda: 1.0)
    machine.page_received(ListMeta("7"))
    for _ in range(10):
        machine.failed(Unreachable("refused"))
    after_waits(machine)
    machine.event_received("8")
    machine.failed(Unreachable("reset"))

    assert machine.next_step() == Wait(0.4)  # the ceiling of a first failure, as above
    assert machine.next_step() == Watch("8")


ERRORS: st.SearchStrategy[KubeError] = st.one_of(
    st.just(Unreachable("refused")),
    st.builds(
        lambda status, after: api_error(status, "x", "y", retry_after=after),
        st.sampled_from([400, 401, 403, 410, 429, 500, 504]),
        st.one_of(st.none(), st.floats(0, 1e6)),
    ),
)


@given(
    errors=st.lists(ERRORS, min_size=1, max_size=60),
    jitter=st.floats(0, 1, exclude_max=True),
    listed=st.booleans(),
)
def test_waits_are_bounded_and_handed_out_once(*, errors: list[KubeError], jitter: float, listed: bool) -> None:
    machine = ListWatch(lambda: jitter)
    if listed:
        machine.page_received(ListMeta("7"))
    for error in errors:
        machine.failed(error)
        step = machine.next_step()
        if isinstance(step, Wait):
            bound = 60.0 if getattr(error, "retry_after", None) else MAX_DELAY
            assert MIN_DELAY <= step.seconds <= bound
            assert not isinstance(machine.next_step(), Wait)
