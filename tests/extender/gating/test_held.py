"""The pods behind our gate, and the sizes of groups, whatever order events come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extender.gating.held import HeldPods, group_of
from stowplan.model.pod import Gang, Pod
from tests.support.extender import pod, signature

GANG = signature("train", gang=Gang("train", least=3))
GROUP = ("shop", "train")


def test_a_pod_is_held_until_its_gate_is_gone() -> None:
    held = HeldPods()
    held.upsert(pod("a", held=True))
    held.upsert(pod("b"))
    assert list(held.pods) == ["a"]

    held.upsert(pod("a"))

    assert list(held.pods) == []


def test_members_count_whether_held_waiting_or_standing_but_not_on_their_way_out() -> None:
    held = HeldPods()
    held.upsert(pod("a", GANG, held=True))
    held.upsert(pod("b", GANG))
    held.upsert(pod("c", GANG, node="n1"))
    held.upsert(pod("d", held=True))
    assert held.members(GROUP) == 3
    assert held.members(("shop", "other")) == 0

    held.upsert(pod("a", GANG, held=True, deleting=True))
    held.upsert(pod("c", GANG, node="n1", finished=True))

    assert held.members(GROUP) == 1
    assert list(held.pods) == ["d"]


def test_a_list_replaces_what_was_known() -> None:
    held = HeldPods()
    held.upsert(pod("gone", GANG, held=True))
    held.upsert(pod("also-gone", GANG, node="n1"))

    held.replace([pod("a", GANG, held=True)])

    assert list(held.pods) == ["a"]
    assert held.members(GROUP) == 1


_SIGNATURES = [signature("web"), GANG, signature("other", gang=Gang("other", whole=True))]
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(_SIGNATURES),
        st.sampled_from(["held", "waiting", "standing", "finished", "deleting", "gone"]),
    ),
    max_size=30,
)


def _pod(uid: str, sig: object, state: str) -> Pod:
    found = pod(uid, sig, held=state == "held", finished=state == "finished", deleting=state == "deleting")  # type: ignore[arg-type]  # a signature
    found.node_name = "n1" if state == "standing" else ""
    return found


@given(_EVENTS, _EVENTS)
def test_law_the_store_is_what_the_last_events_say(
    first: list[tuple[str, object, str]], then: list[tuple[str, object, str]]
) -> None:
    held = HeldPods()
    known: dict[str, Pod] = {}
    for uid, sig, state in first:
        if state == "gone":
            held.delete(uid)
            known.pop(uid, None)
        else:
            known[uid] = _pod(uid, sig, state)
            held.upsert(known[uid])
    listed = {uid: _pod(uid, sig, state) for uid, sig, state in then if state != "gone"}
    _check(held, known)

    held.replace(listed.values())

    _check(held, listed)


def _check(held: HeldPods, known: dict[str, Pod]) -> None:
    alive = [p for p in known.values() if not p.finished and not p.deleting]
    assert set(held.pods) == {p.uid for p in alive if p.held}
    for sig in _SIGNATURES[1:]:
        group = group_of(pod("x", sig))
        assert group is not None
        assert held.members(group) == sum(p.signature == sig for p in alive)
