"""The view that decisions read."""

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from webhook.cluster_stores import ClusterStores
from webhook.stores import Entry, NodeFacts

SHAPE = (4000, 16 * 2**30)


def test_what_has_not_been_read_yet_takes_its_default() -> None:
    state = ClusterStores(wall_clock=lambda: 1_800_000_000.9, profile_max_age_s=60).state(synced=False)

    assert state.classes == BUILTIN_CLASSES
    assert (state.zones, state.node_shapes, state.scheduler_alive, state.ungater_alive) == (0, (), False, False)
    assert (state.now_s, state.profile_max_age_s, state.synced) == (1_800_000_000, 60, False)


def test_the_view_follows_the_stores() -> None:
    stores, taller = ClusterStores(), ClusterStores(fit_to_nodes=False)
    for filled in (stores, taller):
        filled.nodes.upsert(Entry("", "n1", NodeFacts("a", SHAPE)))
        filled.classes.upsert(Entry("", "own", BUILTIN_CLASSES["batch"]))
        filled.replicas["shop", "ReplicaSet", "web"] = 3

    state = stores.state(synced=True)
    assert (state.zones, state.node_shapes, state.synced) == (1, (SHAPE,), True)
    assert dict(state.classes) == {"own": BUILTIN_CLASSES["batch"]}
    assert state.replicas["shop", "ReplicaSet", "web"] == 3
    assert taller.state(synced=True).node_shapes == ()  # larger nodes may come: no size is cut to those of now
