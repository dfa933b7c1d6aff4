"""How far a decision goes: pod, class, namespace; and a canary that only grows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.reasons import Outcome
from stowplan.model.workload_class import Rollout, RolloutMode, WorkloadPolicy
from tests.support.pods import NAMESPACE, admit, cluster, pod
from webhook.intent import PodMode
from webhook.rollout import bucket, observes
from webhook.workload import Workload

OBSERVE, APPLY = Rollout(RolloutMode.OBSERVE), Rollout()
WEB = Workload(NAMESPACE, "Deployment", "web")
rollouts = st.builds(Rollout, st.sampled_from(RolloutMode), st.integers(0, 100))
workloads = st.builds(Workload, st.just(NAMESPACE), st.just("Deployment"), st.text("abc", min_size=1))


def canary(percent: int) -> Rollout:
    return Rollout(RolloutMode.CANARY, percent)


@pytest.mark.parametrize(
    ("of_class", "of_namespace", "expected"),
    [
        (APPLY, None, False),
        (OBSERVE, None, True),
        (APPLY, OBSERVE, True),
        (OBSERVE, APPLY, True),
        (APPLY, APPLY, False),
        (canary(bucket(WEB) + 1), APPLY, False),
        (canary(bucket(WEB)), APPLY, True),
        (canary(bucket(WEB) + 1), canary(bucket(WEB)), True),
        (APPLY, canary(0), True),
        (APPLY, canary(100), False),
    ],
)
def test_the_more_careful_of_class_and_namespace(of_class: Rollout, of_namespace: Rollout, *, expected: bool) -> None:
    assert observes(None, of_class, of_namespace, WEB) is expected


@given(rollouts, rollouts, workloads)
def test_the_namespace_never_makes_it_bolder(of_class: Rollout, of_namespace: Rollout, workload: Workload) -> None:
    assert observes(None, of_class, of_namespace, workload) >= observes(None, of_class, None, workload)
    assert observes(None, of_class, of_namespace, workload) == observes(None, of_namespace, of_class, workload)


@given(st.integers(0, 99), workloads, rollouts)
def test_a_larger_canary_keeps_every_workload(percent: int, workload: Workload, of_namespace: Rollout) -> None:
    smaller = observes(None, canary(percent), of_namespace, workload)

    assert observes(None, canary(percent + 1), of_namespace, workload) <= smaller


@given(rollouts, rollouts)
def test_the_pods_own_word_counts_first(of_class: Rollout, of_namespace: Rollout) -> None:
    assert observes(PodMode.OBSERVE, of_class, of_namespace, WEB)
    assert not observes(PodMode.APPLY, of_class, of_namespace, WEB)


def test_a_policy_holds_a_namespace_back() -> None:
    policies = {NAMESPACE: WorkloadPolicy(NAMESPACE, rollout=OBSERVE)}
    class_applies = {"standard": replace(BUILTIN_CLASSES["standard"], rollout=APPLY)}

    held = admit(pod(), cluster(policies=policies, classes=class_applies))

    assert held.outcome is Outcome.OBSERVED
    assert "(observe only)" in held.why
