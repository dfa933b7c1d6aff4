"""Pods as columns against a dictionary of pods."""

from __future__ import annotations

import dataclasses
import pickle
import uuid

import hypothesis.strategies as st
import pytest
from hypothesis import given

from extender.cluster.name_column import LONGEST, NameColumn
from extender.cluster.pod_columns import PodColumns
from extender.cluster.uid_index import UidIndex, Uids
from stowplan.model.pod import Owner, Pod
from tests.support.extender import pod, signature

WEB, DB = signature("web"), signature("db", cpu=250)
REAL = [str(uuid.UUID(int=0x40008000 << 64 | number)) for number in range(6)]
"""Neighbours in the table: their low halves follow each other."""
ODD = ["u1", "", REAL[0].upper(), REAL[1].replace("-", "_"), f"+{REAL[2][1:]}", "0x" + REAL[3][2:], "x" * 36, "ü" * 36]
"""Not as the API server writes UIDs, though some read as the same numbers."""

uids = st.sampled_from([*REAL, *ODD]) | st.uuids().map(str)
pods = st.builds(
    Pod,
    uid=uids,
    namespace=st.sampled_from(["shop", "elsewhere"]),
    name=st.sampled_from(["a", "b-1", "längst", "x" * LONGEST, "x" * (LONGEST + 1), "ü" * 200]),
    signature=st.sampled_from([WEB, DB]),
    owner=st.sampled_from([None, Owner("ReplicaSet", "web", "o1")]),
    node_name=st.sampled_from(["", "n1", "n2"]),
    nominated_node=st.sampled_from(["", "n2"]),
    created_s=st.integers(0, 2**40),
    ends_s=st.integers(0, 2**40),
    finished=st.booleans(),
    deleting=st.booleans(),
    gated=st.booleans(),
    held=st.booleans(),
    unschedulable=st.booleans(),
)
steps = st.lists(pods | uids, max_size=40)


class Rows:
    """Follows an observed table: who stands in which row."""

    def __init__(self) -> None:
        self.standing: dict[int, str] = {}

    def stands(self, row: int, of: Pod) -> None:
        """A row is never given to a second pod before the first has gone."""
        assert self.standing.setdefault(row, of.uid) == of.uid

    def gone(self, row: int) -> None:
        """Only who stands can go."""
        del self.standing[row]


@given(steps)
def test_columns_are_a_dictionary_of_pods(taken: list[Pod | str]) -> None:
    rows, known = Rows(), dict[str, Pod]()
    columns = PodColumns(rows)
    for step in taken:
        if isinstance(step, Pod):
            columns.put(step)
            known[step.uid] = step
        else:
            assert columns.pop(step) == known.pop(step, None)
        assert len(columns) == len(known)
        assert all(columns.get(uid) == known.get(uid) for uid in [*REAL, *ODD, *known])
        assert {one.uid: one for one in columns} == known
    on_n1 = {uid for uid, one in known.items() if one.node_name == "n1"}
    assert {one.uid for one in columns.on({"n1"})} == on_n1
    fit = [p.uid for p in known.values() if p.node_name and p.namespace == "shop" and len(p.name.encode()) <= LONGEST]
    assert sorted(rows.standing.values()) == sorted(fit)


@given(st.lists(pods, max_size=12), st.lists(uids, max_size=6))
def test_who_is_not_listed_is_found(known: list[Pod], listed: list[str]) -> None:
    columns = PodColumns()
    for one in known:
        columns.put(one)
    assert sorted(columns.besides(Uids(listed))) == sorted({one.uid for one in known} - set(listed))


@given(st.lists(pods, max_size=12), st.lists(uids | pods, max_size=12))
def test_a_copy_stays_as_it_was(known: list[Pod], later: list[Pod | str]) -> None:
    columns = PodColumns()
    for one in known:
        columns.put(one)
    copy, before = columns.copy(), list(columns)
    for step in later:
        if isinstance(step, Pod):
            columns.put(step)
        else:
            columns.pop(step)
    assert list(copy) == before
    assert [copy.get(one.uid) for one in before] == before


def test_what_is_taken_out_may_be_changed() -> None:
    columns = PodColumns()
    columns.put(pod(REAL[0], WEB, "n1"))
    taken = columns.get(REAL[0])
    assert taken is not None
    taken.node_name = "n9"
    assert columns.get(REAL[0]) == dataclasses.replace(taken, node_name="n1")


@given(st.lists(uids))
def test_packed_uids_are_the_same_uids_on_the_other_side_too(listed: list[str]) -> None:
    packed = Uids(listed)
    assert len(packed) == len(listed)
    for one in (packed, pickle.loads(pickle.dumps(packed))):  # noqa: S301 - pickled here
        assert sorted(one) == sorted(listed)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=300))
def test_the_index_finds_what_is_there_and_nothing_else(steps: list[tuple[bool, int]]) -> None:
    # Of each residue class modulo 64 some numbers collide in the first table of 64 places.
    index, rows = UidIndex(), dict[str, int]()
    for put, number in steps:
        uid = str(uuid.UUID(int=(number % 7) + 64 * (number // 7)))
        if put and uid not in rows:
            rows[uid] = next(row for row in range(len(rows) + 1) if row not in rows.values())
            index.put(uid, rows[uid])
        elif not put and uid in rows:
            index.remove(rows.pop(uid))
        assert index.find(uid) == rows.get(uid, -1)
    assert all((index.find(uid), index.uid(row)) == (row, uid) for uid, row in rows.items())
    assert len(index) == len(rows)


def test_names_of_equal_length_share_their_room_one_after_the_other() -> None:
    names = NameColumn()
    for number in range(1000):
        names.put(number % 10, f"pod-{number:04d}")
        names.put(10, "other" * (number % 2))
    assert [names.get(row) for row in range(10)] == [f"pod-{number:04d}" for number in range(990, 1000)]
    assert len(names._buffer) <= 10 * len("pod-0000") + len("other")
    with pytest.raises(ValueError, match="256 bytes; give at most 255"):
        names.put(0, "x" * 256)
