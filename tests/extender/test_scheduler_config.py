"""The KubeSchedulerConfiguration; that a real kube-scheduler takes it is tested in `tests/integration/test_extender.py`."""

from __future__ import annotations

from typing import Any

import pytest

from extender.scheduler_config import DEFAULT_WEIGHT, Channel, scheduler_configuration

URL = "http://127.0.0.1:8888"


def test_the_profile_the_lease_and_the_extender() -> None:
    body = scheduler_configuration(extender_url=URL + "/")

    assert body["profiles"] == [{"schedulerName": "stowplan-scheduler"}]
    assert body["leaderElection"] == {
        "leaderElect": True,
        "resourceName": "stowplan-scheduler",
        "resourceNamespace": "stowplan-system",
    }
    assert body["percentageOfNodesToScore"] == 0  # as stock
    assert "kubeconfig" not in body["clientConnection"]
    assert body["extenders"] == [
        {
            "urlPrefix": URL,
            "filterVerb": "filter",
            "enableHTTPS": False,
            "httpTimeout": "200ms",
            "nodeCacheCapable": True,
            "ignorable": True,
        }
    ]


@pytest.mark.parametrize(
    ("channel", "verbs"),
    [
        ("narrow", {"filterVerb": "filter"}),
        ("prioritize", {"prioritizeVerb": "prioritize", "weight": DEFAULT_WEIGHT}),
        ("both", {"filterVerb": "filter", "prioritizeVerb": "prioritize", "weight": DEFAULT_WEIGHT}),
    ],
)
def test_verbs_by_channel(channel: Channel, verbs: dict[str, Any]) -> None:
    (entry,) = scheduler_configuration(extender_url=URL, channel=channel)["extenders"]

    assert {key: value for key, value in entry.items() if "Verb" in key or key == "weight"} == verbs


def test_off_leaves_the_extender_out() -> None:
    assert scheduler_configuration(extender_url=URL, channel="off")["extenders"] == []


def test_a_full_score_beats_all_default_plugins_and_a_step_does_not() -> None:
    # final = Score x weight x 10; the default plugins' weights sum to 12, each worth up to 100
    assert 10 * DEFAULT_WEIGHT * 10 > 1200 > 1 * DEFAULT_WEIGHT * 10


@pytest.mark.parametrize(
    ("change", "named"), [({"percentage_of_nodes_to_score": 101}, "101"), ({"weight": 0}, "weight 0")]
)
def test_what_kube_scheduler_would_refuse_is_refused_here(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        scheduler_configuration(extender_url=URL, **change)
