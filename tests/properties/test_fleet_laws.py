"""Laws of what the running recommender remembers: no order, no restart and no replica count changes what is learned."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.live.closing import close_day, close_run
from recommender.live.feeding import Feeder, Place
from recommender.live.restoring import Restorer, checkpoint_of
from recommender.remembering.history import sketch
from recommender.remembering.open_sketches import OpenSketches
from recommender.sources.observation import UsageSample
from recommender.workloads.fleet import Fleet
from stowplan.model.profile import WorkloadProfile
from stowplan.model.workload import WorkloadKey
from tests.support.fleets import DAY, MIB, MIDNIGHT, feeder, sample, shard_text, standard, web

SAMPLES = st.lists(
    st.builds(
        sample,
        t_s=st.integers(MIDNIGHT + 1, MIDNIGHT + 86_400),
        cpu=st.floats(0, 50_000),
        memory=st.floats(1, 1e12) | st.just(float("nan")),
        pod=st.sampled_from(["web-1", "web-2", "web-3"]),
        container=st.sampled_from(["app", "proxy"]),
    ),
    min_size=1,
    max_size=120,
)


def _learn(samples: list[UsageSample]) -> Fleet:
    fleet = Fleet()
    feeder(fleet).take(samples, MIDNIGHT + 86_400)
    return fleet


def _state(fleet: Fleet) -> dict[str, list[bytes]]:
    """All that is open and known, by container, whatever the rows."""
    found = {}
    for row, tracked, container in fleet.by_row():
        learned = fleet.at(row)
        open_days = [sketches for _, sketches in sorted(fleet.days.items()) if row < len(sketches.counts)]
        known = [learned.history.days.tobytes(), learned.history.codes.tobytes(), repr(learned.slow.busy).encode()]
        known += [a[row].tobytes() for d in open_days for a in (d.counts, d.load, d.seconds, d.replicas, d.memory_peak)]
        found[f"{tracked.key}/{container}"] = known
    return found


@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(samples: list[UsageSample], order: random.Random) -> None:
    shuffled = list(samples)
    order.shuffle(shuffled)

    assert _state(_learn(samples)) == _state(_learn(shuffled))


@given(SAMPLES, st.randoms(use_true_random=False))
def test_neither_the_order_of_samples_nor_that_of_pods_changes_what_init_containers_teach(
    samples: list[UsageSample], order: random.Random
) -> None:
    """`proxy` ends before `app` starts: one run for each of its pods that had a sample, and the days of `app` as if it were not there."""
    shuffled, pods = list(samples), sorted({s.pod for s in samples if s.container == "proxy"})
    order.shuffle(shuffled)
    shuffled_pods = order.sample(pods, len(pods))
    first, second = _after_runs(samples, pods), _after_runs(shuffled, shuffled_pods)

    assert _runs(first) == _runs(second)
    assert len(_runs(first)) == len(pods)
    apps = [s for s in samples if s.container == "app"]
    of_app = "WorkloadKey(namespace='shop', kind='Deployment', name='web')/app"
    assert _state(first).get(of_app) == _state(second).get(of_app) == _state(_learn(apps)).get(of_app)


def _after_runs(samples: list[UsageSample], pods: list[str]) -> Fleet:
    fleet = Fleet()
    feed = Feeder(fleet, lambda _namespace, _pod, container: Place(web(), init=container == "proxy"))
    feed.take(samples, MIDNIGHT + 86_400)
    for pod in pods:
        close_run(fleet, WorkloadKey("shop", "Deployment", "web"), pod, standard, MIDNIGHT + 90_000)
    return fleet


def _runs(fleet: Fleet) -> list[bytes]:
    """What each run of `proxy` taught, whatever their order."""
    found = [fleet.at(row) for row, _, container in fleet.by_row() if container == "proxy"]
    assert all(of.slow.runs == of.days for of in found)
    return sorted(code.tobytes() for of in found for code in of.history.codes[of.history.days >= 0])


@given(SAMPLES)
def test_replicas_add_up_to_the_workload(samples: list[UsageSample]) -> None:
    together, apart = OpenSketches(), OpenSketches()
    for pod in ("web-1", "web-2", "web-3"):
        part = [s for s in samples if s.pod == pod and s.container == "app"]
        if part:
            apart.merge(0, _learn(part).days[DAY], 0)
    of_all = [s for s in samples if s.container == "app"]
    if of_all:
        together.merge(0, _learn(of_all).days[DAY], 0)
        for name in ("counts", "load", "seconds", "memory_peak"):
            assert (getattr(together, name)[0] == getattr(apart, name)[0]).all(), name


@given(SAMPLES)
def test_a_closed_day_is_the_sketch_of_its_samples_within_a_bucket(samples: list[UsageSample]) -> None:
    samples = sorted((s for s in samples if s.container == "app"), key=lambda s: s.t_s)
    if not samples:
        return
    fleet = _learn(samples)
    found = fleet.days[DAY].sketches(np.array([0]))[0]
    t_s, cpu, memory = (np.array([getattr(s, name) for s in samples]) for name in ("t_s", "cpu", "memory"))
    exact = sketch(t_s, cpu, memory)

    # a bucket's middle is within 2.5 % of all that it holds; below one millicore within half of one
    assert np.all(np.abs(found.cpu - exact.cpu) <= 0.0251 * exact.cpu + 0.5)
    assert found.samples == exact.samples
    assert found.memory_peak == exact.memory_peak or np.isnan(exact.memory_peak)


@given(SAMPLES, st.integers(0, 120))
def test_a_restart_in_the_middle_of_a_day_changes_nothing(samples: list[UsageSample], at: int) -> None:
    samples = sorted(samples, key=lambda s: s.t_s)
    before, after = samples[:at], samples[at:]
    never, first = _learn(before), _learn(before)
    again = Fleet()
    restorer = Restorer(again)
    for tracked in first.workloads.values():
        kind, name = tracked.key.kind, tracked.key.name
        restorer.add_profile(WorkloadProfile("shop", kind, name, checkpoint=checkpoint_of(first, tracked)))
    assert not before or restorer.add_shard("00", shard_text(first, 77)) == 77
    for fleet in (never, again):
        feeder(fleet).take(after, MIDNIGHT + 86_400)
        if DAY in fleet.days:
            for _ in close_day(fleet, DAY, standard, MIDNIGHT + 90_000):
                pass

    assert {k: v[:3] for k, v in _state(never).items()} == {k: v[:3] for k, v in _state(again).items()}


@given(SAMPLES)
def test_a_day_closed_but_not_yet_written_survives(samples: list[UsageSample]) -> None:
    fleet = _learn([*samples, sample(MIDNIGHT + 60, 10.0, 5 * MIB)])
    for _ in close_day(fleet, DAY, standard, MIDNIGHT + 90_000):
        pass
    again = Fleet()
    Restorer(again).add_shard("00", shard_text(fleet))

    assert _state(again) == _state(fleet)
    assert again.closed_through == DAY
